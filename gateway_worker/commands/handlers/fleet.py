"""What concerns no single session: any worker answers."""

from collections.abc import Sequence

from gateway_contracts import (
    ListedSession,
    SessionList,
    SessionPage,
    SessionState,
    StatusReason,
    WorkerSetLogLevel,
)
from gateway_contracts.tenants import tenant_of
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import GatewayError
from gateway_worker.runtime import cursors
from gateway_worker.sessions.ports import SessionEntry, SessionFilter
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.sessions.settings import told_settings

MOST_BYTES = 120_000
"""A page has no more than this, as JSON: it has to fit into one message."""


async def sessions(context: Context, command: SessionList) -> Effect:
    """List sessions, of one tenant if the command is that tenant's."""
    if context.catalog is None:
        raise GatewayError("this worker cannot list sessions")
    data = command.data
    wanted = SessionFilter(
        states=data.states,
        labels=data.labels,
        worker_id=data.worker,
        tenant=tenant_of(command.subject),
    )
    found = await context.catalog.page(
        wanted,
        after=cursors.name_in(data.cursor),
        limit=data.limit + 1,
    )
    return Effect(result=_page(found, data.limit), session=None, is_kept=False)


def _page(found: Sequence[SessionEntry], limit: int) -> SessionPage:
    """Return as many sessions as have room; there is always one, and the rest comes next."""
    listed: list[ListedSession] = []
    size = 0
    for entry in found[:limit]:
        session = listed_session(entry)
        size += len(session.model_dump_json(exclude_none=True))
        if listed and size > MOST_BYTES:
            break
        listed.append(session)
    is_over = len(listed) == len(found)
    return SessionPage(
        sessions=tuple(listed),
        next_cursor=None if is_over else cursors.encode([listed[-1].session]),
    )


def listed_session(entry: SessionEntry) -> ListedSession:
    """Return a session as a backend sees it, from the database alone."""
    row = entry.row
    is_stranded = entry.is_lost and is_running(row.state)
    return ListedSession(
        session=row.session_id,
        state=SessionState.RECONNECTING if is_stranded else row.state,
        reason=StatusReason.WORKER_LOST if entry.is_lost else None,
        worker=row.worker_id,
        account=row.account,
        labels=row.labels,
        metadata=row.metadata,
        created_at=row.created_at,
        **told_settings(row.settings),
    )


async def set_log_level(context: Context, command: WorkerSetLogLevel) -> Effect:
    """Have workers log more, or less, for a while."""
    if context.log_levels is None:
        raise GatewayError("this worker cannot set what is logged")
    data = command.data
    result = await context.log_levels.set(data.level, worker=data.worker, seconds=data.seconds)
    return Effect(result=result, session=None)


HANDLERS: dict[str, Handler] = {
    "wa.session.list.v1": Handler(run=sessions, lane=Lane.FREE),
    "wa.worker.set_log_level.v1": Handler(run=set_log_level, lane=Lane.FREE),
}
