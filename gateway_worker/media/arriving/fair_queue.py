"""Whose file is next: sessions take turns, and none of them has more than a few at a time."""

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items by session; the sessions that have some take turns.

    Args:
        per_session: How many items of one session may be out at the same time.
    """

    def __init__(self, *, per_session: int) -> None:
        self._per_session = per_session
        self._queues: OrderedDict[str, deque[Item]] = OrderedDict()
        self._out: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many items wait."""
        return sum(map(len, self._queues.values()))

    def put(self, session_id: str, item: Item, *, first: bool = False) -> None:
        """Queue an item after the others of its session, or before them. Never blocks."""
        queue = self._queues.setdefault(session_id, deque())
        if first:
            queue.appendleft(item)
        else:
            queue.append(item)
        self._changed.set()

    def remove(self, session_id: str, item: Item) -> bool:
        """Take out an item that waits; False if it does not."""
        queue = self._queues.get(session_id)
        if queue is None or item not in queue:
            return False
        queue.remove(item)
        self._tidy(session_id)
        return True

    async def take(self) -> Item:
        """Return the next item; `done` has to follow."""
        while (session_id := self._next()) is None:
            self._changed.clear()
            await self._changed.wait()
        item = self._queues[session_id].popleft()
        self._out[session_id] += 1
        self._queues.move_to_end(session_id)
        self._tidy(session_id)
        return item

    def done(self, session_id: str) -> None:
        """Note that an item of a session is not out any more."""
        self._out[session_id] -= 1
        if not self._out[session_id]:
            del self._out[session_id]
        self._changed.set()

    def _next(self) -> str | None:
        return next((each for each in self._queues if self._out[each] < self._per_session), None)

    def _tidy(self, session_id: str) -> None:
        if not self._queues[session_id]:
            del self._queues[session_id]
