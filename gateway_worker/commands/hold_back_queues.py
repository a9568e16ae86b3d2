"""The hold-back queues of all sessions that have just come to this worker."""

from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from gateway_worker.commands.hold_back_queue import HoldBackQueue
from gateway_worker.sessions.ownership.manager import SessionManager

Item = TypeVar("Item")
log = structlog.get_logger(__name__)


class HoldBackQueues(Generic[Item]):
    """Says of each command whether it is its turn, and keeps those whose turn it is not.

    Args:
        manager: Knows which markers a session still waits for.
        on_held: Called with the number of commands that are held, whenever it changes.
    """

    def __init__(self, *, manager: SessionManager, on_held: Callable[[int], None]) -> None:
        self._manager = manager
        self._on_held = on_held
        self._holds: dict[str, tuple[int, HoldBackQueue[Item]]] = {}
        self.held = 0

    def admit(self, session_id: str, item: Item, *, stage: int | None) -> bool:
        """Tell whether it is a command's turn; if not, it is kept until a marker comes.

        Args:
            session_id: A session of this worker; nothing of it is `outdated`.
            item: The command.
            stage: See `HoldBackQueue.admit`.
        """
        hold = self._hold(session_id)
        if hold is None or hold.admit(item, stage=stage):
            return True
        self._count()
        return False

    async def pass_marker(self, session_id: str, epoch: int) -> list[Item]:
        """Note a marker; returns the commands whose turn it is now.

        Of each of them `end` or `lose` has to be told.
        """
        hold = self._hold(session_id)
        if hold is None:
            return []
        was_open, released = hold.is_open, hold.pass_marker(epoch)
        if hold.is_open and not was_open:
            log.info("session.order_restored", session_id=session_id, released=len(released))
        self._count()
        await self._forget_over(session_id, hold)
        return released

    async def end(self, session_id: str, item: Item) -> None:
        """Note that a command has ended, and in the database which stages are over with it."""
        if session_id not in self._holds:
            return
        epoch, hold = self._holds[session_id]
        hold.end(item)
        if epoch == self._manager.registry.epoch_of(session_id):
            await self._forget_over(session_id, hold)

    def lose(self, session_id: str, item: Item) -> None:
        """Note that a command went back to its queue before it had ended.

        If it had had its turn, it may now come after what is later: the markers have to come again,
        as they do until the database has every stage as over.
        """
        _, hold = self._holds.get(session_id, (0, None))
        if hold is not None and hold.lose(item):
            log.info("session.order_lost", session_id=session_id)

    def idle_seconds(self, session_id: str, item: Item) -> float | None:
        """Return for how long nothing has moved before a command; None if it does not wait."""
        _, hold = self._holds.get(session_id, (0, None))
        return None if hold is None or not hold.holds(item) else hold.idle_seconds

    def items(self, session_id: str) -> list[Item]:
        """Return what is held for a session, in order."""
        _, hold = self._holds.get(session_id, (0, None))
        return [] if hold is None else hold.items()

    def remove(self, session_id: str, item: Item) -> bool:
        """Take back one that is held; False if it is not."""
        _, hold = self._holds.get(session_id, (0, None))
        if hold is None or not hold.remove(item):
            return False
        self._count()
        return True

    def outdated(self, session_id: str) -> list[Item]:
        """Take back, in order, what is held for a session that is not ours, or is ours anew."""
        epoch, hold = self._holds.get(session_id, (None, None))
        if hold is None or epoch == self._manager.registry.epoch_of(session_id):
            return []
        del self._holds[session_id]
        items = hold.withdraw()
        self._count()
        return items

    async def _forget_over(self, session_id: str, hold: HoldBackQueue[Item]) -> None:
        over = hold.forget_over()
        if over is not None:
            await self._manager.directory.note_passed(session_id, over)
        # Not before the database knows: another one would be made of what is pending here.
        if hold.is_over and self._holds.get(session_id, (0, None))[1] is hold:
            del self._holds[session_id]

    def _hold(self, session_id: str) -> HoldBackQueue[Item] | None:
        """Return the session's hold if it waits for markers."""
        epoch, pending = self._manager.registry.pending_of(session_id)
        _, known = self._holds.get(session_id, (0, None))
        if known is not None or not pending:
            return known
        hold: HoldBackQueue[Item] = HoldBackQueue(pending=pending)
        self._holds[session_id] = (epoch, hold)
        return hold

    def _count(self) -> None:
        held = sum(hold.held for _, hold in self._holds.values())
        if held != self.held:
            self.held = held
            self._on_held(held)
