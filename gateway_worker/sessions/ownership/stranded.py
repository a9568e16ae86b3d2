"""Sessions whose worker is gone and that no other can run: what may still be said and done of them.

Their device stores are where their worker was, so nobody takes them over: it may come back. Their
rows, their events and their commands are everybody's meanwhile. Whoever changes one does so under
the epoch of its absent owner, which loses nothing by it.
"""

from gateway_contracts import (
    SessionInfo,
    SessionState,
    SessionStatus,
    SessionStatusData,
    StatusReason,
)
from gateway_worker.sessions.changes import Change, DesiredState, SessionUpdate
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.session.transitions import is_running

DETAIL = "its worker is gone, and no other worker can run it"
"""For people: why a command of such a session comes to nothing."""


def stranded_state(row: SessionRow) -> SessionState:
    """Return the state of a session that nobody runs, whatever its row says."""
    return SessionState.RECONNECTING if is_running(row.state) else row.state


def stranded_info(row: SessionRow) -> SessionInfo:
    """Return a stranded session as a backend sees it."""
    return SessionInfo(
        state=stranded_state(row),
        reason=StatusReason.WORKER_LOST,
        worker=row.worker_id,
        account=row.account,
        labels=row.labels,
        created_at=row.created_at,
    )


def stranded_change(
    row: SessionRow, state: SessionState, reason: StatusReason, *, source: str
) -> Change:
    """Return the step of a stranded session to another state, with the event that tells it.

    Args:
        row: The session.
        state: `reconnecting`, or `stopped` if its backend wants that.
        reason: Why.
        source: Who says so.
    """
    stopped = state is SessionState.STOPPED
    status = SessionStatus(
        source=source,
        subject=row.session_id,
        data=SessionStatusData(
            state=state,
            previous=row.state,
            reason=reason,
            detail=None if stopped else DETAIL,
            worker=row.worker_id or "",
            account=row.account,
        ),
    )
    desired = DesiredState.STOPPED if stopped else None
    return Change(
        session_id=row.session_id,
        epoch=row.epoch,
        events=(status,),
        session=SessionUpdate(state=state, desired=desired),
    )
