"""A recorder in memory; the port's tests run against it and the database's."""

import asyncio
from collections.abc import Mapping

from gateway_worker.errors import GatewayError, PermanentError
from gateway_worker.sessions.changes import Change, Committed, TransferRefusedError
from gateway_worker.sessions.ports import Recorder


class MemoryRecorder(Recorder):
    """Commits changes in the order of the calls. Faults are for who derives.

    Args:
        epochs: Under which epoch this worker owns each session; of others every epoch is right.
        room: The workers that take sessions.
        at_once: Whether a change is committed with the call, or only by `commit`.

    Attributes:
        changes: What was recorded, in order.
        applied: What of that was written.
        futures: What was returned, in order.
        executing: The sessions in which a send is executing.
    """

    def __init__(
        self,
        *,
        epochs: Mapping[str, int] | None = None,
        room: frozenset[str] = frozenset(),
        at_once: bool = True,
    ) -> None:
        self.changes: list[Change] = []
        self.applied: list[Change] = []
        self.futures: list[asyncio.Future[Committed]] = []
        self.executing: set[str] = set()
        self.is_away = False
        self._epochs: dict[str, int | None] = dict(epochs or {})
        self._room = room
        self._at_once = at_once
        self._waiting: list[tuple[Change, asyncio.Future[Committed]]] = []
        self._committed: set[tuple[object, ...]] = set()

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Queue a change, and commit it with those before it if that is to be at once."""
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self.changes.append(change)
        self.futures.append(future)
        self._waiting.append((change, future))
        if self._at_once and not self.is_away:
            self.commit(len(self._waiting))
        return future

    def commit(self, count: int = 1) -> None:
        """Commit the oldest of what waits."""
        self._waiting = [pair for pair in self._waiting if not pair[1].done()]
        for change, future in self._waiting[:count]:
            try:
                future.set_result(self._write(change))
            except GatewayError as error:
                future.set_exception(error)

    def come_back(self) -> None:
        """Be there again, and commit what has waited."""
        self.is_away = False
        self.commit(len(self._waiting))

    def lose(self, session_id: str) -> None:
        """Let another worker have a session."""
        self._epochs[session_id] = None

    def store(self, session_id: str, chat: str, message_id: str) -> None:
        """Have a message, whoever has sent it."""
        self._committed.add((session_id, chat, message_id))

    def _write(self, change: Change) -> Committed:
        session_id = change.session_id
        owned_under = self._epochs.get(session_id, change.epoch)
        if change.epoch is not None and change.epoch != owned_under:
            return Committed(applied=False, fenced=True)
        if change.receipt is not None and self._is_early(change):
            return Committed(applied=False, early=True)
        if change.message is not None and "\x00" in change.message.chat:
            raise PermanentError("a text cannot have such a character")
        if change.transfer is not None and change.transfer.to_worker not in self._room:
            raise TransferRefusedError("that worker has no room")
        keys = _keys(change)
        if keys & self._committed:
            return Committed(applied=False)
        self._committed |= keys
        self.applied.append(change)
        if change.transfer is not None:
            self.lose(session_id)
        return Committed(transferred=change.transfer is not None)

    def _is_early(self, change: Change) -> bool:
        row = change.receipt
        assert row is not None
        is_known = (change.session_id, row.chat, row.message_id) in self._committed
        return row.waits and change.session_id in self.executing and not is_known


def _keys(change: Change) -> set[tuple[object, ...]]:
    """Return what must not be stored twice."""
    keys: set[tuple[object, ...]] = set()
    if (message := change.message) is not None:
        keys.add((change.session_id, message.chat, message.message_id))
    if (receipt := change.receipt) is not None:
        whose = (receipt.participant, receipt.status)
        keys.add((change.session_id, receipt.chat, receipt.message_id, *whose))
    if change.once:
        keys.add((change.session_id, change.events[0].id))
    return keys
