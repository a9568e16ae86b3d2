"""One queue and one task per key: in order within a key, keys side by side, idle ones cost nothing.

A key's runner is a task that lives while its queue has items. There is no lock: the order in which
`post` is called is the order of execution. How much may wait is bounded by the caller (the broker's
prefetch for commands), because a mailbox that refused an item would have to drop or reorder it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item")
log = structlog.get_logger(__name__)


class Mailboxes(Generic[Item]):
    """Keyed mailboxes.

    Args:
        handle: Called as `handle(key, item)`. An exception is logged and the next item follows.
        name: For task names and log events.
    """

    def __init__(self, *, handle: Callable[[str, Item], Awaitable[None]], name: str) -> None:
        self._handle = handle
        self._name = name
        self._queues: dict[str, deque[Item]] = {}
        self._runners: dict[str, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Items that are queued and not yet started, over all keys."""
        return self._waiting

    @property
    def running(self) -> int:
        """Keys with an item in work."""
        return len(self._runners)

    def post(self, key: str, item: Item) -> None:
        """Queue an item after the others of its key. Never blocks."""
        self._waiting += 1
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._queues[key] = deque((item,))
        self._idle.clear()
        self._runners[key] = asyncio.create_task(self._run(key), name=f"{self._name}:{key}")

    def post_first(self, key: str, item: Item) -> None:
        """Queue an item before all others of its key, after what is being handled. Never blocks."""
        queue = self._queues.get(key)
        if queue is None:
            self.post(key, item)
            return
        self._waiting += 1
        queue.appendleft(item)

    def withdraw(self) -> list[Item]:
        """Take back everything that has not been started, in order within each key."""
        items = [item for queue in self._queues.values() for item in queue]
        for queue in self._queues.values():
            queue.clear()
        self._waiting = 0
        return items

    async def join(self) -> None:
        """Return when nothing is queued and nothing runs."""
        await self._idle.wait()

    async def cancel(self) -> None:
        """Cancel what runs, forget what waits, and return when every runner has ended."""
        self.withdraw()
        runners = list(self._runners.values())
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)

    async def _run(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                item = queue.popleft()
                self._waiting -= 1
                try:
                    await self._handle(key, item)
                except Exception:  # the root of the item's work: the next one has its turn
                    log.exception("mailbox.handler_failed", mailbox=self._name)
        finally:
            # Only reached with an empty queue or on cancellation: a later post starts a new runner.
            self._waiting -= len(queue)
            del self._queues[key], self._runners[key]
            if not self._runners:
                self._idle.set()
