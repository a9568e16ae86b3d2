"""Communities: groups of groups."""

from typing import Final

from gateway_contracts import (
    CommunityLink,
    CommunitySubGroups,
    CommunityUnlink,
    Done,
    SubGroupsListed,
)
from gateway_worker.commands.chat_order import order_of
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.handlers.group_calls import cursor_of, first_of
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.host_protocol.methods.groups import LinkGroup, ListSubGroups


async def link(context: Context, command: CommunityLink | CommunityUnlink) -> Effect:
    """Let a group belong to a community, or not any more."""
    session = await context.manager.find(command.subject)
    call = LinkGroup(
        community=command.data.community,
        group=command.data.group,
        linked=isinstance(command, CommunityLink),
    )
    answer = await session.request(call, command_id=command.id, seconds=context.seconds_left())
    return Effect(result=Done(), session=session, library_seconds=answer.seconds)


async def sub_groups(context: Context, command: CommunitySubGroups) -> Effect:
    """Return a page of a community's groups."""
    session = await context.manager.find(command.subject)
    data = command.data
    call = ListSubGroups(community=data.community, first=first_of(data.cursor), most=data.limit)
    answer = await session.request(call, command_id=command.id, seconds=context.seconds_left())
    told = {**answer.data, "next_cursor": cursor_of(answer.following)}
    result = SubGroupsListed.model_validate(told)
    return Effect(result=result, session=session, library_seconds=answer.seconds)


def _order(command: CommunityLink | CommunityUnlink) -> Order:
    return order_of(command.data.group)


HANDLERS: Final[dict[str, Handler]] = {
    "wa.community.link.v1": Handler(
        run=link, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION
    ),
    "wa.community.unlink.v1": Handler(
        run=link, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION
    ),
    "wa.community.sub_groups.v1": Handler(
        run=sub_groups, lane=Lane.QUERIES, needs=Needs.CONNECTION
    ),
}
