"""Groups, changed.

Changes of a group keep their order with each other and with what is sent there, as messages do: who
is let in reads what is sent after that, and nothing is sent after the account has left.
"""

from typing import Any, Final

import structlog

from gateway_contracts import (
    Done,
    EntryState,
    GroupAcceptInvite,
    GroupCreate,
    GroupCreated,
    GroupEntered,
    GroupInviteLink,
    GroupJoin,
    GroupLeave,
    GroupLink,
    GroupMembers,
    GroupSet,
    MembersChanged,
    PhotoChange,
    Result,
)
from gateway_worker.commands.chat_order import order_of
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs, Once
from gateway_worker.commands.handlers.group_calls import (
    code_of,
    invite_of,
    people_of,
    results_of,
)
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.commands.picture_preparation import PicturePreparation
from gateway_worker.commands.preparation import Preparation
from gateway_worker.errors import GatewayError, InvalidCommandError, UnsupportedError
from gateway_worker.host_protocol.methods.groups import (
    AcceptInvite,
    AskMembership,
    ChangeGroup,
    ChangeMembers,
    CreateGroup,
    GroupAnswer,
    JoinGroup,
    LeaveGroup,
    ReadInviteLink,
)
from gateway_worker.host_protocol.methods.method import Method
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

_NEW: Final = Order(marks=frozenset({"new group"}), waits_for=frozenset({"new group"}))
"""A group that is not there yet has nobody's order to keep."""
_NOT_NAMED_YET: Final = "new@g.us"
"""What groups are paced under that the account is not in yet."""
_UNNAMED: Final = "WhatsApp"
"""What an invitation says that a group is called if nobody could tell."""


async def create(context: Context, command: GroupCreate) -> Effect:
    """Make a group, once.

    Raises:
        InvalidCommandError: It would be a community within a community.
        GatewayError: As the session says.
    """
    data = command.data
    if data.is_community and data.community is not None:
        raise InvalidCommandError("no community belongs to another", pointer="/data/community")
    session = await context.manager.find(command.subject)
    call = CreateGroup(
        name=data.name,
        members=people_of(data.members),
        community=data.community,
        is_community=data.is_community,
    )
    answer = await _asked(context, session, call, command.id)
    return await effect_of_earlier(context, session, command, answer)


async def effect_of_earlier(
    _context: Context, session: Session, command: GroupCreate, answer: GroupAnswer
) -> Effect:
    """Return what is to be committed for a group that was made."""
    data, group = command.data, answer.data["group"]
    members = results_of(data.members, answer.data["members"], group=group, name=data.name)
    return _effect(session, GroupCreated(group=group, members=members), answer)


async def members(context: Context, command: GroupMembers) -> Effect:
    """Change who is in a group, or its admins."""
    session = await context.manager.find(command.subject)
    data = command.data
    call = ChangeMembers(
        group=data.group, change=data.change.value, members=people_of(data.members)
    )
    answer = await _asked(context, session, call, command.id)
    name = answer.data.get("name") or _UNNAMED
    told = results_of(data.members, answer.data["members"], group=data.group, name=name)
    return _effect(session, MembersChanged(members=told), answer)


async def change(context: Context, command: GroupSet) -> Effect:
    """Change what a group is."""
    session = await context.manager.find(command.subject)
    data, making = command.data, context.preparation
    wanted = data.change.model_dump(mode="json", exclude={"media"})
    picture = str(making.path) if isinstance(making, PicturePreparation) else None
    if isinstance(data.change, PhotoChange) and picture is None:
        raise UnsupportedError("files cannot be sent as this worker is set up")
    call = ChangeGroup(group=data.group, change=wanted, picture=picture)
    return _effect(session, Done(), await _asked(context, session, call, command.id))


async def invite_link(context: Context, command: GroupInviteLink) -> Effect:
    """Return a group's link, or another one in its place."""
    session = await context.manager.find(command.subject)
    call = ReadInviteLink(group=command.data.group, revoke=command.data.revoke)
    answer = await _asked(context, session, call, command.id)
    return _effect(session, GroupLink.model_validate(answer.data), answer)


async def join(context: Context, command: GroupJoin) -> Effect:
    """Enter a group by its link."""
    session = await context.manager.find(command.subject)
    call = JoinGroup(code=code_of(command.data.link))
    answer = await _asked(context, session, call, command.id)
    group = answer.data["group"]
    state = await _entry_state(context, session, group, command.id)
    return _effect(session, GroupEntered(group=group, state=state), answer)


async def _entry_state(
    context: Context, session: Session, group: str, command_id: str
) -> EntryState:
    """Return how far the account has come into a group that it wants to enter.

    That it has asked to is done, whatever becomes of this question: asked to enter once more, a
    group's admins would see it again.
    """
    try:
        found = await _asked(context, session, AskMembership(group=group), command_id)
    except GatewayError as error:
        log.warning("group.membership_not_told", error_code=error.code)
        return EntryState.UNKNOWN
    return EntryState.JOINED if found.data["is_in"] else EntryState.REQUESTED


async def accept(context: Context, command: GroupAcceptInvite) -> Effect:
    """Enter a group by an invitation."""
    session = await context.manager.find(command.subject)
    call = AcceptInvite(**invite_of(command.data))
    answer = await _asked(context, session, call, command.id)
    return _effect(session, GroupEntered.model_validate(answer.data), answer)


async def leave(context: Context, command: GroupLeave) -> Effect:
    """Leave a group."""
    session = await context.manager.find(command.subject)
    call = LeaveGroup(group=command.data.group)
    return _effect(session, Done(), await _asked(context, session, call, command.id))


async def _asked(
    context: Context, session: Session, call: Method[GroupAnswer], command_id: str
) -> GroupAnswer:
    return await session.request(call, command_id=command_id, seconds=context.seconds_left())


def _effect(session: Session, result: Result, answer: GroupAnswer) -> Effect:
    return Effect(result=result, session=session, library_seconds=answer.seconds)


def _order(command: Any) -> Order:
    return order_of(command.data.group)


def _new(_command: GroupJoin | GroupCreate) -> Order:
    return _NEW


def _picture(context: Context, command: GroupSet) -> Preparation | None:
    wanted = command.data.change
    if context.files is None or not isinstance(wanted, PhotoChange):
        return None
    return PicturePreparation(outgoing=context.files.outgoing, source=wanted.media)


def _group(command: GroupMembers | GroupSet | GroupAcceptInvite) -> str:
    return command.data.group


def _new_group(_command: GroupCreate | GroupJoin) -> str:
    return _NOT_NAMED_YET


HANDLERS: Final[dict[str, Handler]] = {
    "wa.group.create.v1": Handler(
        run=create,
        lane=Lane.SENDS,
        order=_new,
        needs=Needs.CONNECTION,
        paced=_new_group,
        once=Once(effect_of=effect_of_earlier),
    ),
    "wa.group.members.v1": Handler(
        run=members, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION, paced=_group
    ),
    "wa.group.set.v1": Handler(
        run=change,
        lane=Lane.SENDS,
        order=_order,
        needs=Needs.CONNECTION,
        prepare=_picture,
        paced=_group,
    ),
    "wa.group.invite_link.v1": Handler(
        run=invite_link, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION
    ),
    "wa.group.join.v1": Handler(
        run=join, lane=Lane.SENDS, order=_new, needs=Needs.CONNECTION, paced=_new_group
    ),
    "wa.group.accept_invite.v1": Handler(
        run=accept, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION, paced=_group
    ),
    "wa.group.leave.v1": Handler(run=leave, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION),
}
