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

    def post(self, key: str, item: Item) -> None:
        """Queue an item after the others of its key. Never blocks."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._queues[key] = deque((item,))
        self._idle.clear()
        self._runners[key] = asyncio.create_task(self._run(key), name=f"{self._name}:{key}")

    async def join(self) -> None:
        """Return when nothing is queued and nothing runs."""
        await self._idle.wait()

    async def cancel(self) -> None:
        """Cancel what runs, forget what waits, and return when every runner has ended."""
        for queue in self._queues.values():
            queue.clear()
        runners = list(self._runners.values())
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)

    async def _run(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                item = queue.popleft()
                try:
                    await self._handle(key, item)
                except Exception:  # the root of the item's work: the next one has its turn
                    log.exception("mailbox.handler_failed", mailbox=self._name)
        finally:
            # Only reached with an empty queue or on cancellation: a later post starts a new runner.
            del self._queues[key], self._runners[key]
            if not self._runners:
                self._idle.set()
