"""Groups, changed."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from neonize.proto.Neonize_pb2 import GroupLinkedParent, GroupParent
from neonize.utils.enum import ParticipantChange

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import FailureKind
from gateway_worker.host_protocol.methods.groups import (
    AcceptInvite,
    AskMembership,
    ChangeGroup,
    ChangeMembers,
    CreateGroup,
    GroupAnswer,
    JoinGroup,
    LeaveGroup,
    LinkGroup,
)
from gateway_worker.whatsapp.convert.failures import query_failure, status_of
from gateway_worker.whatsapp.convert.groups import NAME_CHARACTERS, outcomes
from gateway_worker.whatsapp.convert.people import PHONE_SERVER, address
from gateway_worker.whatsapp.convert.recipients import recipient
from gateway_worker.whatsapp.convert.texts import short
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.once import once
from gateway_worker.whatsapp.host.sending import SendFailedError

_NANOSECONDS: Final = 1_000_000_000
_NOT_IN_IT: Final = 403
_APPROVAL: Final = "request_required"
"""How WhatsApp's apps make communities: who wants to enter one of its groups asks."""


def create(tools: Tools, request: Request, call: CreateGroup) -> GroupAnswer:
    """Make a group, once."""
    started = time.monotonic()
    jids = _members(tools.library, call.members)
    settings: dict[str, Any] = {}
    if call.community is not None:
        settings["linked_parent"] = GroupLinkedParent(LinkedParentJID=parse_jid(call.community))
    if call.is_community:
        settings["group_parent"] = GroupParent(
            IsParent=True, DefaultMembershipApprovalMode=_APPROVAL
        )

    def make() -> GroupAnswer:
        named = _each_once(jids)
        made = tools.library.client.create_group(call.name, named, **settings)
        told = {"group": address(made.JID), "members": outcomes(jids, made.Participants)}
        return GroupAnswer(data=told, seconds=time.monotonic() - started)

    return once(tools.sender.journal, request.command_id, make, "the new group")


def members(tools: Tools, _request: Request, call: ChangeMembers) -> GroupAnswer:
    """Change who is in a group, or its admins."""
    library, group = tools.library, parse_jid(call.group)
    started = time.monotonic()
    jids = _members(library, call.members)
    named, change = _each_once(jids), ParticipantChange(call.change)
    answered: Sequence[Any] = ()
    if named:
        answered = ask(
            lambda: library.client.update_group_participants(group, named, change),
            "the change of the group's members",
        )
    told: dict[str, Any] = {"members": outcomes(jids, answered)}
    if any("invite" in one for one in told["members"]):
        with suppress(Exception):  # what it is called is a courtesy
            name = library.client.get_group_info(group).GroupName.Name
            told["name"] = short(name, NAME_CHARACTERS)
    return GroupAnswer(data=told, seconds=time.monotonic() - started)


def change(tools: Tools, _request: Request, call: ChangeGroup) -> GroupAnswer:
    """Change what a group is."""
    client, group = tools.library.client, parse_jid(call.group)
    what, wanted = call.change["what"], call.change
    changes: Mapping[str, Callable[[], object]] = {
        "name": lambda: client.set_group_name(group, wanted["name"]),
        # Without ids the library asks for that of the text before, and makes a new one.
        "description": lambda: client.set_group_topic(group, "", "", wanted["description"]),
        "photo": lambda: client.set_group_photo(group, Path(call.picture or "").read_bytes()),
        "announce": lambda: client.set_group_announce(group, wanted["only_admins"]),
        "locked": lambda: client.set_group_locked(group, wanted["only_admins"]),
        "timer": lambda: client.set_disappearing_timer(group, wanted["seconds"] * _NANOSECONDS),
    }
    started = time.monotonic()
    ask(changes[what], f"the change of the group's {what}")
    return GroupAnswer(data={}, seconds=time.monotonic() - started)


def join(tools: Tools, _request: Request, call: JoinGroup) -> GroupAnswer:
    """Enter a group by its link; whether it is in, WhatsApp tells only who asks for the group."""
    started = time.monotonic()
    found = ask(lambda: tools.library.client.join_group_with_link(call.code), "entering the group")
    return GroupAnswer(data={"group": address(found)}, seconds=time.monotonic() - started)


def membership(tools: Tools, _request: Request, call: AskMembership) -> GroupAnswer:
    """Tell whether the account is in a group."""
    started = time.monotonic()
    is_in = _is_in(tools.library, call.group)
    return GroupAnswer(data={"is_in": is_in}, seconds=time.monotonic() - started)


def accept(tools: Tools, _request: Request, call: AcceptInvite) -> GroupAnswer:
    """Enter a group by an invitation, which can be used once: who is in it has done so."""
    library = tools.library
    inviter = parse_jid(library.member(recipient(call.inviter)))
    started = time.monotonic()
    try:
        ask(
            lambda: library.client.join_group_with_invite(
                parse_jid(call.group), inviter, call.code, call.expires_at
            ),
            "the invitation",
        )
    except SendFailedError as error:
        if error.failure.kind != FailureKind.REJECTED or not _is_in(library, call.group):
            raise
    told = {"group": call.group, "state": "joined"}
    return GroupAnswer(data=told, seconds=time.monotonic() - started)


def leave(tools: Tools, _request: Request, call: LeaveGroup) -> GroupAnswer:
    """Leave a group; who is not in it has done so."""
    library = tools.library
    started = time.monotonic()
    try:
        ask(lambda: library.client.leave_group(parse_jid(call.group)), "leaving the group")
    except SendFailedError as error:
        if error.failure.kind != FailureKind.REJECTED or _is_in(library, call.group):
            raise
    return GroupAnswer(data={}, seconds=time.monotonic() - started)


def link(tools: Tools, _request: Request, call: LinkGroup) -> GroupAnswer:
    """Let a group belong to a community, or not any more."""
    client = tools.library.client
    parent, child = parse_jid(call.community), parse_jid(call.group)
    started = time.monotonic()
    run = client.link_group if call.linked else client.unlink_group
    ask(lambda: run(parent, child), "the change of the community's groups")
    return GroupAnswer(data={}, seconds=time.monotonic() - started)


def _members(library: Library, asked: Sequence[str]) -> list[str | None]:
    """Return by which JID WhatsApp knows each of some people; None for who is not there.

    Numbers that the device has never met are asked about, in whichever way each is written.
    """
    jids = [library.member(recipient(one)) for one in asked]
    unknown = [jid.partition("@")[0] for jid in jids if jid.endswith(f"@{PHONE_SERVER}")]
    if not unknown:
        return list(jids)
    holders = ask(lambda: library.who_has(*unknown), "the look-up of numbers")
    found = {f"{one.number}@{PHONE_SERVER}": one for one in holders}
    return [
        jid if (one := found.get(jid)) is None else one.jid if one.is_on_whatsapp else None
        for jid in jids
    ]


def _each_once(jids: Sequence[str | None]) -> list[Any]:
    """Return whom a change is about: somebody may be named twice, by number and by LID, say."""
    return [parse_jid(jid) for jid in dict.fromkeys(jids) if jid is not None]


def _is_in(library: Library, group: str) -> bool:
    """Whether the account is in a group.

    Raises:
        SendFailedError: WhatsApp does not say so, or there is no such group.
    """
    try:
        library.client.get_group_info(parse_jid(group))
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        if status_of(str(error)) == _NOT_IN_IT:
            return False
        raise SendFailedError(query_failure(str(error), "the look-up of the group")) from None
    return True


RUNS: Final[Mapping[type[Any], Run]] = {
    CreateGroup: create,
    ChangeMembers: members,
    ChangeGroup: change,
    JoinGroup: join,
    AskMembership: membership,
    AcceptInvite: accept,
    LeaveGroup: leave,
    LinkGroup: link,
}
