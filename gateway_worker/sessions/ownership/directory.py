"""Whose the sessions are, as far as a worker knows, and which of their handovers are under way."""

from dataclasses import replace

from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.ports import CommandBindings, SessionRow, SessionStore, Whereabouts


class SessionDirectory:
    """What a worker knows of its own sessions, and can find out of all the others.

    Whatever asks the database waits until that answers.

    Args:
        worker_id: This worker.
        registry: The sessions that are here.
        sessions: The sessions table.
        bindings: Tell whether a worker listens.
        is_portable: Whether another worker could have the device stores of this one's sessions.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        registry: SessionRegistry,
        sessions: SessionStore,
        bindings: CommandBindings,
        is_portable: bool,
    ) -> None:
        self._worker_id = worker_id
        self._registry = registry
        self._sessions = sessions
        self._bindings = bindings
        self._is_portable = is_portable

    @property
    def worker_id(self) -> str:
        """This worker."""
        return self._worker_id

    @property
    def is_portable(self) -> bool:
        """Whether another worker could have the device stores of this one's sessions."""
        return self._is_portable

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
        session = self._registry.held_session(session_id)
        if session is None or anew or known_to > session.epoch:
            row = await self.look_up(session_id)
            session = self._registry.held_session(session_id)
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
            lambda: self._sessions.marker_left(session_id, marker_epoch=epoch),
            name="sessions.marker_left",
        )
        if (session := self._registry.held_session(session_id)) is not None:
            session.pending = tuple(
                replace(entry, left=True) if entry.epoch == epoch else entry
                for entry in session.pending
            )

    async def note_passed(self, session_id: str, epoch: int) -> None:
        """Note that a session's changes of owner up to this epoch are over."""
        session = self._registry.held_session(session_id)
        if session is None:
            return
        await until_answered(
            lambda: self._sessions.markers_passed(session_id, epoch=session.epoch, up_to=epoch),
            name="sessions.markers_passed",
        )
        session.pending = tuple(entry for entry in session.pending if entry.epoch > epoch)

    async def look_up(self, session_id: str) -> SessionRow | None:
        """Return a session as the database has it, or None."""
        return await until_answered(lambda: self._sessions.get(session_id), name="sessions.get")

    # Who takes one.

    async def place(self, wished: str | None = None) -> str | None:
        """Return another worker that has room, or None; the `wished` one or none at all."""
        if wished is not None:
            takes = await until_answered(
                lambda: self._sessions.takes(wished), name="sessions.takes"
            )
            return wished if takes else None
        return await until_answered(
            lambda: self._sessions.place(without=self.worker_id), name="sessions.place"
        )

    async def is_listening(self, worker_id: str) -> bool:
        """Whether a worker takes what comes for it.

        The lease of one that has died may be good for some seconds more. A session that goes to it
        then is unavailable until somebody takes it over.

        Raises:
            DependencyError: The broker cannot be asked now.
        """
        return await self._bindings.is_listening(worker_id)
