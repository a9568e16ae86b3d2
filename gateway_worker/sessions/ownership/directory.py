"""Whose the sessions are, as far as a worker knows, and which of their handovers are under way."""

from dataclasses import replace

from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.ports import SessionRow, SessionStore, Whereabouts


class SessionDirectory(SessionRegistry):
    """The sessions that a worker holds, and what it can find out of all the others.

    Whatever asks the database waits until that answers.

    Args:
        worker_id: This worker.
        capacity: How many sessions there may be here.
        sessions: The sessions table.
    """

    def __init__(self, *, worker_id: str, capacity: int, sessions: SessionStore) -> None:
        super().__init__(capacity=capacity)
        self._worker_id = worker_id
        self._store = sessions

    @property
    def worker_id(self) -> str:
        """This worker."""
        return self._worker_id

    async def whereabouts(
        self, session_id: str, *, known_to: int = 0, anew: bool = False
    ) -> Whereabouts:
        """Say who owns a session and which markers it waits for.

        Of a session that is here it is what this worker knows itself, unless there may be more.

        Args:
            session_id: Which.
            known_to: An epoch that somebody has heard of.
            anew: Ask the database in any case. If the session turns out to be somebody else's by
                now, it is gone from here.
        """
        session = self.held_session(session_id)
        if session is None or anew or known_to > session.epoch:
            row = await self._look_up(session_id)
            session = self.held_session(session_id)
            if session is None:
                return row.whereabouts if row is not None else Whereabouts()
            if row is not None and row.epoch > session.epoch:
                session.fence()
                return row.whereabouts
            if row is not None and row.epoch == session.epoch:
                session.pending = row.pending
        return Whereabouts(worker_id=self.worker_id, epoch=session.epoch, pending=session.pending)

    async def note_left(self, session_id: str, epoch: int) -> None:
        """Note that a marker has come out of the queue that it ends, whoever owns the session."""
        await until_answered(
            lambda: self._store.marker_left(session_id, marker_epoch=epoch),
            name="sessions.marker_left",
        )
        if (session := self.held_session(session_id)) is not None:
            session.pending = tuple(
                replace(entry, left=True) if entry.epoch == epoch else entry
                for entry in session.pending
            )

    async def note_passed(self, session_id: str, epoch: int) -> None:
        """Note that all of a session's markers up to this one have come."""
        session = self.held_session(session_id)
        if session is None:
            return
        await until_answered(
            lambda: self._store.markers_passed(session_id, epoch=session.epoch, up_to=epoch),
            name="sessions.markers_passed",
        )
        session.pending = tuple(entry for entry in session.pending if entry.epoch > epoch)

    async def _look_up(self, session_id: str) -> SessionRow | None:
        return await until_answered(lambda: self._store.get(session_id), name="sessions.get")
