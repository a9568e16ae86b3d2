"""Bindings of sessions to workers in memory; the port's tests run against them and the broker."""

from gateway_worker.sessions.ports import CommandBindings


class MemoryBroker:
    """What is bound, and who listens.

    Attributes:
        bound: Sessions and the workers to whose queues they are bound.
        listening: The workers that consume their queues.
    """

    def __init__(self, *listening: str) -> None:
        self.bound: set[tuple[str, str]] = set()
        self.listening = set(listening)

    def targets(self, session_id: str) -> set[str]:
        """Return the workers that a session's next command goes to."""
        return {worker for session, worker in self.bound if session == session_id}


class MemoryBindings(CommandBindings):
    """One worker's bindings. Faults are for who derives."""

    def __init__(self, broker: MemoryBroker, *, worker_id: str) -> None:
        self.bindings = broker
        self._worker_id = worker_id
        self._meant: set[str] = set()

    async def bind(self, session_id: str) -> None:
        """Bind a session here."""
        self._meant.add(session_id)
        self.bindings.bound.add((session_id, self._worker_id))

    async def unbind(self, session_id: str) -> None:
        """Bind it here no more."""
        self._meant.discard(session_id)
        self.bindings.bound.discard((session_id, self._worker_id))

    async def unbind_from(self, session_id: str, worker_id: str) -> None:
        """Bind it to another worker no more."""
        self.bindings.bound.discard((session_id, worker_id))

    async def unbind_disowned(self, session_id: str) -> None:
        """Bind it here no more, unless it is meant to be."""
        if session_id not in self._meant:
            self.bindings.bound.discard((session_id, self._worker_id))

    def disown(self, session_id: str) -> None:
        """Note that it is not meant to be."""
        self._meant.discard(session_id)

    async def is_listening(self, worker_id: str) -> bool:
        """Look."""
        return worker_id in self.bindings.listening
