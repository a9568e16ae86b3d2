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
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import Change, DesiredState, SessionValues, source_of
from gateway_worker.sessions.ports import EventRelay, Recorder, SessionRow, SessionStore
from gateway_worker.sessions.session.traces import SessionTraces
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.sessions.settings import told_settings

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
        metadata=row.metadata,
        created_at=row.created_at,
        **told_settings(row.settings),
    )


def stranded_change(
    row: SessionRow, state: SessionState, reason: StatusReason, *, source: str
) -> Change:
    """Return the step of a stranded session to another state, with the event that announces it.

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
        session=SessionValues(state=state, desired=desired),
    )


class StrandedSessions:
    """The stranded sessions of the fleet: found, announced, and removed if they are to be deleted.

    Args:
        worker_id: This worker.
        after_seconds: How long after the end of its worker's lease a session that nobody has taken
            is stranded.
        sessions: The sessions table.
        relay: Publishes what their worker has left.
        recorder: Commits that they do not run.
        traces: What they leave outside of database and disk.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        after_seconds: float,
        sessions: SessionStore,
        relay: EventRelay,
        recorder: Recorder,
        traces: SessionTraces,
    ) -> None:
        self._worker_id = worker_id
        self._after_seconds = after_seconds
        self._sessions = sessions
        self._relay = relay
        self._recorder = recorder
        self._traces = traces

    @property
    def after_seconds(self) -> float:
        """How long after the end of its worker's lease a session nobody has taken is stranded."""
        return self._after_seconds

    async def find(self, session_id: str, *, at_once: bool = False) -> SessionRow | None:
        """Return a session that nobody runs or will run, or None.

        Its events are published by this worker from then on, in order with those that are
        unpublished.

        Args:
            session_id: Which.
            at_once: Do not wait for somebody to take it over.
        """
        after = 0.0 if at_once else self._after_seconds
        row = await until_answered(
            lambda: self._sessions.strand(session_id, self._worker_id, after_seconds=after),
            name="sessions.strand",
        )
        if row is not None:
            await self._relay.adopt([session_id])
        return row

    async def announce(self, row: SessionRow) -> None:
        """Announce that a session does not run, and make its state say so. Idempotent."""
        if row.desired is not DesiredState.RUNNING or not is_running(row.state):
            return
        current = await self.find(row.session_id)
        if current is None or current.epoch != row.epoch:
            return
        await self._recorder.record(
            stranded_change(
                current,
                SessionState.RECONNECTING,
                StatusReason.WORKER_LOST,
                source=source_of(self._worker_id),
            )
        )

    async def destroy(self, row: SessionRow) -> None:
        """Remove every trace of one outside the database but its worker's disk.

        Raises:
            DependencyError: A trace could not be removed; the deletion has to be tried again.
        """
        await self._traces.remove_elsewhere(row.session_id, row.worker_id)
