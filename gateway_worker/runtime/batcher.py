"""Group commit: calls that come close together share one round trip to the database.

While one batch is being flushed the next one gathers, so batches grow with the load and a lone call
waits for nobody. Order is kept: batches are flushed one after the other, items in the order of the
calls. A flush that fails because a service is away is repeated for as long as it takes; one that
fails for another reason is repeated item by item, so that one bad item spoils only itself. What
nobody has foreseen is no verdict on an item before it has come several times.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from gateway_worker.errors import GatewayError, RetryableError
from gateway_worker.runtime.retry import Backoff

Item = TypeVar("Item")
Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)

FAULTS = 4
"""How often an item may fail in a way that nobody has foreseen before its caller is told."""


class Batcher(Generic[Item, Answer]):
    """Gathers items into batches.

    Args:
        flush: Writes a batch and returns one answer per item, in order. Raises `RetryableError` if
            the whole batch should be tried again later.
        name: For log events.
        max_items: The largest batch.
        pace_seconds: While batches come out crowded, they start at least this far apart, which
            makes them larger and cheaper; a quiet time pays no such wait.
        crowd: From how many items on a batch is crowded.
        observe: Called with the size and the seconds of each flush that succeeded.
    """

    def __init__(
        self,
        *,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        name: str,
        max_items: int = 256,
        pace_seconds: float = 0.0,
        crowd: int = 1,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        self._flush = flush
        self._name = name
        self._max_items = max_items
        self._pace_seconds = pace_seconds
        self._crowd = crowd
        self._last_size = 0
        self._observe = observe
        self._pending: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._wake = asyncio.Event()
        self._backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)

    @property
    def waiting(self) -> int:
        """Items not yet flushed."""
        return len(self._pending)

    def submit(self, item: Item) -> "asyncio.Future[Answer]":
        """Queue an item; the future has its answer once its batch is flushed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending.append((item, future))
        self._wake.set()
        return future

    async def run(self, stop: asyncio.Event) -> None:
        """Flush until `stop` is set and nothing is pending any more."""
        stopping = asyncio.create_task(stop.wait(), name=f"{self._name}:stop")
        stopping.add_done_callback(lambda _task: self._wake.set())
        started = 0.0
        try:
            while not (stop.is_set() and not self._pending):
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    wait = started + self._pace_seconds - time.monotonic()
                    if wait > 0 and self._last_size >= self._crowd:
                        await asyncio.sleep(wait)
                    started = time.monotonic()
                    await self._flush_next()
        finally:
            stopping.cancel()
            self._abandon()

    async def _flush_next(self) -> None:
        self._last_size = size = min(len(self._pending), self._max_items)
        batch = [self._pending.popleft() for _ in range(size)]
        try:
            await self._flush_until_done(batch)
        except asyncio.CancelledError:
            self._pending.extendleft(reversed(batch))
            raise

    async def _flush_until_done(self, batch: list[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        faults = 0
        while True:
            started = time.monotonic()
            try:
                answers = await self._flush([item for item, _ in batch])
            except RetryableError as error:
                delay = self._backoff.next_seconds()
                log.warning("batch.retrying", batch=self._name, size=len(batch), reason=str(error))
                await asyncio.sleep(delay)
            except Exception as error:
                faults += 1
                is_verdict = isinstance(error, (GatewayError, ValueError))
                if len(batch) == 1 and not is_verdict and faults < FAULTS:
                    log.warning("batch.faulty", batch=self._name, exc_info=True)
                    await asyncio.sleep(self._backoff.next_seconds())
                    continue
                await self._isolate(batch, error)
                return
            else:
                self._backoff.reset()
                self._observe(len(batch), time.monotonic() - started)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
                return

    async def _isolate(
        self, batch: list[tuple[Item, "asyncio.Future[Answer]"]], error: Exception
    ) -> None:
        if len(batch) > 1:
            log.warning(
                "batch.isolating", batch=self._name, size=len(batch), reason=type(error).__name__
            )
            for entry in batch:
                await self._flush_until_done([entry])
            return
        future = batch[0][1]
        if not future.done():
            future.set_exception(error)

    def _abandon(self) -> None:
        for _, future in self._pending:
            if not future.done():
                future.cancel()
        self._pending.clear()
