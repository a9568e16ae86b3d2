"""What is scheduled: listed, and called off."""

import base64
import binascii
from datetime import datetime

from gateway_contracts import (
    CommandRejectedError,
    Done,
    MessageSend,
    ScheduleCancel,
    ScheduledSend,
    ScheduledSends,
    ScheduleList,
    parse_command,
)
from gateway_worker.commands.deferrals import Deferrals, Waiting
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.scheduler import Lane
from gateway_worker.errors import InvalidCommandError, UnsupportedError


async def list_scheduled(context: Context, command: ScheduleList) -> Effect:
    """Tell a page of what waits for its time."""
    session = await context.manager.find(command.subject)
    limit = command.data.limit
    after = None if command.data.cursor is None else _read_cursor(command.data.cursor)
    rows = await _deferrals(context).page(session.session_id, after=after, limit=limit + 1)
    page = rows[:limit]
    more = _cursor(page[-1]) if len(rows) > limit else None
    scheduled = tuple(told for row in page if (told := _told(row)) is not None)
    return Effect(result=ScheduledSends(scheduled=scheduled, next_cursor=more), session=session)


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
    assert isinstance(command, MessageSend)
    return ScheduledSend(
        command_id=command.id,
        scheduled_at=row.due_at,
        to=command.data.to,
        content_kind=command.data.content.kind,
        client_ref=command.data.client_ref,
    )


def _cursor(row: Waiting) -> str:
    place = f"{row.due_at.isoformat()} {row.key.batch}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        due_at, _, command_id = base64.urlsafe_b64decode(cursor).decode("ascii").partition(" ")
        moment = datetime.fromisoformat(due_at)
    except (binascii.Error, ValueError):
        moment, command_id = None, ""
    if moment is None or moment.tzinfo is None or not command_id.isprintable():
        raise InvalidCommandError("no answer has had this cursor", pointer="/data/cursor")
    return moment, command_id


HANDLERS: dict[str, Handler] = {
    "wa.schedule.list.v1": Handler(run=list_scheduled, lane=Lane.LOOKUPS),
    # No send of the session may run meanwhile: what it calls off has not begun then.
    "wa.schedule.cancel.v1": Handler(run=cancel),
}
