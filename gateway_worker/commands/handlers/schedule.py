"""What is scheduled: listed, and called off."""

from datetime import datetime

from gateway_contracts import (
    CommandRejectedError,
    Done,
    MessageSend,
    ScheduleCancel,
    ScheduledSend,
    ScheduledSends,
    ScheduleList,
    StatusPost,
    parse_command,
)
from gateway_worker.commands.deferrals import Deferrals, Waiting
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, looked_up
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import UnsupportedError
from gateway_worker.runtime import cursors


async def list_scheduled(context: Context, command: ScheduleList) -> ScheduledSends:
    """Return a page of what waits for its time."""
    limit = command.data.limit
    after = None if command.data.cursor is None else _read_cursor(command.data.cursor)
    rows = await _deferrals(context).page(command.subject, after=after, limit=limit + 1)
    page = rows[:limit]
    more = None
    if len(rows) > limit:
        more = cursors.encode((page[-1].due_at, page[-1].key.batch))
    scheduled = tuple(told for row in page if (told := _told(row)) is not None)
    return ScheduledSends(scheduled=scheduled, next_cursor=more)


async def cancel(context: Context, command: ScheduleCancel) -> Effect:
    """Call off one; a run that was interrupted finds it called off."""
    session = await context.manager.find(command.subject)
    await _deferrals(context).cancel(session, command.data.command_id)
    return Effect(result=Done(), session=session)


def _deferrals(context: Context) -> Deferrals:
    if context.deferred is None:
        raise UnsupportedError("nothing can be scheduled here")
    return context.deferred


def _told(row: Waiting) -> ScheduledSend | None:
    try:
        command = parse_command(row.body)
    except CommandRejectedError:  # of a release that knew other commands
        return None
    assert isinstance(command, MessageSend | StatusPost)
    return ScheduledSend(
        command_id=command.id,
        scheduled_at=row.due_at,
        to=command.data.to if isinstance(command, MessageSend) else None,
        content_kind=command.data.content.kind,
        client_ref=command.data.client_ref,
    )


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    due_at, command_id = cursors.given(cursor, datetime, str)
    return due_at, command_id


HANDLERS: dict[str, Handler] = {
    # After what was scheduled before it.
    "wa.schedule.list.v1": looked_up(list_scheduled, lane=Lane.LOOKUPS),
    # No send of the session may run meanwhile: what it calls off has not begun then.
    "wa.schedule.cancel.v1": Handler(run=cancel),
}
