"""Whose file is next: tenants take turns, and the sessions of each; none has all places."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from gateway_worker.media.places import owner_of

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items by session; owners that have some take turns, and among each one's sessions likewise.

    For what a few workers take from one queue. `SharedPlaces` is for those who come for a place
    themselves, wait for it, and may give up.

    Args:
        per_session: How many items of one session may be out at the same time.
        per_owner: How many of all sessions of one owner (see `places.owner_of`).
    """

    def __init__(self, *, per_session: int, per_owner: int) -> None:
        self._per_session = per_session
        self._per_owner = per_owner
        self._owners: OrderedDict[str, OrderedDict[str, deque[Item]]] = OrderedDict()
        self._out: Counter[str] = Counter()
        self._out_of_owner: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many items wait."""
        return sum(len(queue) for queues in self._owners.values() for queue in queues.values())

    def put(self, session_id: str, item: Item, *, first: bool = False) -> None:
        """Queue an item after the others of its session, or before them. Never blocks."""
        queues = self._owners.setdefault(owner_of(session_id), OrderedDict())
        queue = queues.setdefault(session_id, deque())
        if first:
            queue.appendleft(item)
        else:
            queue.append(item)
        self._changed.set()

    def remove(self, session_id: str, item: Item) -> bool:
        """Take out an item that waits; False if it does not."""
        queues = self._owners.get(owner_of(session_id), OrderedDict())
        queue = queues.get(session_id, deque())
        if item not in queue:
            return False
        queue.remove(item)
        self._tidy(session_id)
        return True

    async def take(self) -> Item:
        """Return the next item; `done` has to follow."""
        while (session_id := next(self._ready(), None)) is None:
            self._changed.clear()
            await self._changed.wait()
        owner = owner_of(session_id)
        item = self._owners[owner][session_id].popleft()
        self._out[session_id] += 1
        self._out_of_owner[owner] += 1
        self._owners[owner].move_to_end(session_id)
        self._owners.move_to_end(owner)
        self._tidy(session_id)
        return item

    def done(self, session_id: str) -> None:
        """Note that an item of a session is not out any more."""
        for out, name in ((self._out, session_id), (self._out_of_owner, owner_of(session_id))):
            out[name] -= 1
            if not out[name]:
                del out[name]
        self._changed.set()

    def _ready(self) -> Iterator[str]:
        """Yield the sessions that may have one more item out, in their turns."""
        for owner, queues in self._owners.items():
            if self._out_of_owner[owner] < self._per_owner:
                yield from (each for each in queues if self._out[each] < self._per_session)

    def _tidy(self, session_id: str) -> None:
        owner = owner_of(session_id)
        queues = self._owners[owner]
        if not queues[session_id]:
            del queues[session_id]
        if not queues:
            del self._owners[owner]
