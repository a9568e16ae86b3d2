"""Groups, looked at."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from gateway_contracts import (
    ByLink,
    GroupGetInfo,
    GroupInfo,
    GroupList,
    GroupPreview,
    GroupRequests,
    GroupsListed,
    RequestsListed,
    Result,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.handlers.group_calls import code_of, cursor_of, first_of, invite_of
from gateway_worker.commands.lanes import Lane
from gateway_worker.host_protocol.methods.groups import (
    GroupAnswer,
    ListGroups,
    ListJoinRequests,
    PreviewGroup,
    PreviewInvite,
    ReadGroup,
)
from gateway_worker.host_protocol.methods.method import Method

C = TypeVar("C", bound=Any)


def _look(
    call_of: Callable[[C], Method[GroupAnswer]], result_of: Callable[[dict[str, Any]], Result]
) -> Callable[[Context, C], Awaitable[Effect]]:
    """Return what asks WhatsApp something of a group.

    Args:
        call_of: What a command asks for.
        result_of: What is told of the answer.
    """

    async def run(context: Context, command: C) -> Effect:
        session = await context.manager.find(command.subject)
        answer = await session.request(
            call_of(command), command_id=command.id, seconds=context.seconds_left()
        )
        told = {**answer.data, "next_cursor": cursor_of(answer.following)}
        return Effect(result=result_of(told), session=session, library_seconds=answer.seconds)

    return run


def _info(command: GroupGetInfo) -> ReadGroup:
    data = command.data
    return ReadGroup(group=data.group, first=first_of(data.cursor), most=data.limit)


def _list(command: GroupList) -> ListGroups:
    return ListGroups(first=first_of(command.data.cursor), most=command.data.limit)


def _requests(command: GroupRequests) -> ListJoinRequests:
    data = command.data
    return ListJoinRequests(group=data.group, first=first_of(data.cursor), most=data.limit)


def _preview(command: GroupPreview) -> PreviewGroup | PreviewInvite:
    by = command.data.by
    if isinstance(by, ByLink):
        return PreviewGroup(code=code_of(by.link))
    return PreviewInvite(**invite_of(by))


def _handler(
    call_of: Callable[[Any], Method[GroupAnswer]], result_of: Callable[[Any], Result]
) -> Handler:
    return Handler(run=_look(call_of, result_of), lane=Lane.QUERIES, needs=Needs.CONNECTION)


HANDLERS: Final[dict[str, Handler]] = {
    "wa.group.info.v1": _handler(_info, GroupInfo.model_validate),
    "wa.group.list.v1": _handler(_list, GroupsListed.model_validate),
    "wa.group.requests.v1": _handler(_requests, RequestsListed.model_validate),
    "wa.group.preview.v1": _handler(_preview, GroupInfo.model_validate),
}
