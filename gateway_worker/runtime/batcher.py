"""Group commit: calls that come close together share one round trip to the database.

While one batch is being flushed the next one gathers, so batches grow with the load and a lone call
waits for nobody. Items for which nobody waits may be given some patience: they begin no flush
before that is over, and go with the next one that others begin. Order is kept: batches are flushed
one after the other, items in the order of the calls. A flush that fails because a service is
unavailable is repeated for as long as it takes; one that fails for another reason is repeated item
by item, so that one bad item spoils only itself. What nobody has foreseen is no verdict on an item
before it has come several times.

A flush that keeps failing though the service answers has items in it that cannot be written now,
such as those of a row that somebody has locked. Then it is divided, and only they wait; see
`division`.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeAlias, TypeVar

import structlog

from gateway_worker.errors import GatewayError, RetryableError
from gateway_worker.runtime.division import Aside, Division
from gateway_worker.runtime.retry import Backoff
from gateway_worker.runtime.waking import woken_by

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Entry: TypeAlias = tuple[Item, asyncio.Future[Answer]]
log = structlog.get_logger(__name__)

FAULTS = 4
"""How often an item may fail in a way that nobody has foreseen before its caller is told."""
_PATIENCE = 2
"""How often a whole batch fails before it is divided."""
_LATELY_SECONDS = 0.25
"""What came so long ago counts about a third."""
_LASTING = 4
"""With this look in vain at a key that is held aside the log says so as an error."""


class _Rate:
    """How many items have come lately; those of long ago count less and less."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._per_second = 0.0

    @property
    def per_second(self) -> float:
        """So many a second."""
        past = time.monotonic() - self._at
        return self._per_second * math.exp(-past / _LATELY_SECONDS)

    def note(self, count: int) -> None:
        """Note that so many have come."""
        self._per_second = self.per_second + count / _LATELY_SECONDS
        self._at = time.monotonic()


class Batcher(Generic[Item, Answer]):
    """Gathers items into batches.

    Args:
        flush: Writes a batch and returns one answer per item, in order. Raises `RetryableError` if
            the whole batch should be tried again later.
        name: For log events.
        max_items: The largest batch.
        linger_seconds: While more than `busy_per_second` items come, batches start at least this
            far apart, which makes them larger and cheaper; a quiet time pays no such wait.
        busy_per_second: Of items, over the last quarter of a second. What counts is not how large
            batches are: where flushes are quick, they are small, and as many as the machine can do.
        patience_seconds: How long an item may wait for others to go with; by default for none.
        observe: Called with the size and the seconds of each flush that succeeded.
        division: How a batch that keeps failing is divided; None if it never is.
    """

    def __init__(
        self,
        *,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        name: str,
        max_items: int = 256,
        linger_seconds: float = 0.0,
        busy_per_second: float = 0.0,
        patience_seconds: Callable[[Item], float] = lambda _item: 0.0,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
        division: Division[Item, Answer] | None = None,
    ) -> None:
        self._flush = flush
        self._name = name
        self._max_items = max_items
        self._linger_seconds = linger_seconds
        self._busy_per_second = busy_per_second
        self._rate = _Rate()
        self._patience_seconds = patience_seconds
        self._is_due = False
        self._due: asyncio.TimerHandle | None = None
        self._observe = observe
        self._division = division
        self._pending: deque[Entry[Item, Answer]] = deque()
        self._alone: deque[Entry[Item, Answer]] = deque()  # what is flushed item by item
        self._aside: Aside[Entry[Item, Answer]] = Aside()
        self._wake = asyncio.Event()
        self._backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)

    @property
    def waiting(self) -> int:
        """Items not yet flushed."""
        return len(self._pending) + self._aside.waiting

    @property
    def held_aside(self) -> int:
        """How many keys are held aside."""
        return len(self._aside)

    def submit(self, item: Item) -> "asyncio.Future[Answer]":
        """Queue an item; the future has its answer once its batch is flushed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending.extend(self._unheld([(item, future)]))
        self._expect(self._patience_seconds(item))
        return future

    async def run(self, stop: asyncio.Event) -> None:
        """Flush until `stop` is set and nothing is pending any more."""
        started = 0.0
        try:
            with woken_by(stop, self._wake, name=f"{self._name}:stop"):
                while not (stop.is_set() and not self.waiting):
                    await self._until_woken()
                    while self._pending and (self._is_due or stop.is_set()):
                        wait = started + self._linger_seconds - time.monotonic()
                        if wait > 0 and self._rate.per_second >= self._busy_per_second:
                            await asyncio.sleep(wait)
                        started = time.monotonic()
                        await self._flush_next()
                        await self._look_aside()
                    await self._look_aside()
        finally:
            self._abandon()

    async def _until_woken(self) -> None:
        """Return when something is pending, a key that is held aside is due, or the end comes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._aside.due_seconds()):
                await self._wake.wait()
        self._wake.clear()

    async def _flush_next(self) -> None:
        size = min(len(self._pending), self._max_items)
        self._rate.note(size)
        batch = [self._pending.popleft() for _ in range(size)]
        self._is_due = bool(self._pending)
        self._forget_due()
        await self._carry(batch)

    def _expect(self, seconds: float) -> None:
        """Have what is pending flushed in so many seconds at the latest."""
        if seconds > 0:
            if self._due is None:
                self._due = asyncio.get_running_loop().call_later(seconds, self._expect, 0.0)
            return
        self._is_due = True
        self._wake.set()

    def _forget_due(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    async def _carry(self, batch: list[Entry[Item, Answer]]) -> None:
        try:
            await self._flush_until_done(batch)
        except asyncio.CancelledError:
            self._pending.extendleft(reversed(batch))
            raise

    async def _flush_until_done(self, batch: list[Entry[Item, Answer]]) -> None:
        faults = failures = 0
        while batch := self._unheld(batch):
            started = time.monotonic()
            try:
                # The second time it is known that something is in the way: that gives up sooner.
                answers = await self._flusher(failures)([item for item, _ in batch])
            except RetryableError as error:
                failures += 1
                if failures >= _PATIENCE and self._division and await self._division.answers():
                    batch = await self._divide(self._division, batch)
                    failures = 0
                    continue
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
                self._settle(batch, answers, time.monotonic() - started)
                return

    def _flusher(self, failures: int) -> Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]:
        return self._division.flush if self._division and failures else self._flush

    def _settle(
        self,
        batch: Sequence[Entry[Item, Answer]],
        answers: Sequence[Answer],
        seconds: float,
    ) -> None:
        self._backoff.reset()
        self._observe(len(batch), seconds)
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    async def _isolate(self, batch: list[Entry[Item, Answer]], error: Exception) -> None:
        if len(batch) > 1:
            log.warning(
                "batch.isolating", batch=self._name, size=len(batch), reason=type(error).__name__
            )
            self._alone.extend(batch)
            while self._alone:
                await self._flush_until_done([self._alone.popleft()])
            return
        future = batch[0][1]
        if not future.done():
            future.set_exception(error)

    async def _divide(
        self,
        division: Division[Item, Answer],
        batch: list[Entry[Item, Answer]],
    ) -> list[Entry[Item, Answer]]:
        """Flush the items of each key apart; hold those aside that cannot be written now.

        Returns what is left to be flushed: all that was not tried when the service became
        unavailable, and what is refused for another reason.
        """
        parts: dict[Hashable, list[Entry[Item, Answer]]] = {}
        for entry in batch:
            parts.setdefault(division.key(entry[0]), []).append(entry)
        log.warning("batch.dividing", batch=self._name, size=len(batch), parts=len(parts))
        left: list[Entry[Item, Answer]] = []
        is_there = True
        for key, part in parts.items():
            if not is_there:
                left += part
                continue
            started = time.monotonic()
            try:
                answers = await division.flush([item for item, _ in part])
            except RetryableError as error:
                is_there = await division.answers()
                if is_there:
                    self._hold_aside(division, key, part, error)
                else:  # it is unavailable again: that says nothing of the part
                    left += part
            except Exception:  # a verdict on one of them, which it gets when it comes again
                log.warning("batch.part_refused", batch=self._name, exc_info=True)
                left += part
            else:
                self._settle(part, answers, time.monotonic() - started)
        return left

    def _hold_aside(
        self,
        division: Division[Item, Answer],
        key: Hashable,
        part: list[Entry[Item, Answer]],
        error: RetryableError,
    ) -> None:
        after: list[Entry[Item, Answer]] = []
        for queue in (self._alone, self._pending):
            entries = list(queue)
            queue.clear()
            for entry in entries:
                (after if division.key(entry[0]) == key else queue).append(entry)
        self._aside.hold(key, part, after)
        # A service that comes and goes can look like this for a moment: an error is what lasts.
        log.warning(
            "batch.held_aside",
            batch=self._name,
            reason=str(error),
            size=len(part) + len(after),
            **{division.named: key},
        )

    def _unheld(self, batch: list[Entry[Item, Answer]]) -> list[Entry[Item, Answer]]:
        """Return the entries whose key is not held aside; the others join those that are."""
        if self._division is None or not len(self._aside):
            return batch
        unheld = []
        for entry in batch:
            key = self._division.key(entry[0])
            if key in self._aside:
                self._aside.add(key, [entry])
            else:
                unheld.append(entry)
        return unheld

    async def _look_aside(self) -> None:
        """Try the key that has been due for the longest; one at a time, for the others wait."""
        if self._division is None or (due := self._aside.next_due()) is None:
            return
        key, held = due
        part = held.first(self._max_items)
        started = time.monotonic()
        try:
            answers = await self._division.flush([item for item, _ in part])
        except RetryableError as error:
            held.wait(time.monotonic() - started)
            lasts = held.backoff.attempts == _LASTING
            log.log(
                logging.ERROR if lasts else logging.WARNING,
                "batch.still_aside",
                batch=self._name,
                size=len(held.entries),
                reason=str(error),
                **{self._division.named: key},
            )
        except Exception:  # it can be refused again: as any other
            log.warning("batch.part_refused", batch=self._name, exc_info=True)
            self._release(self._division, key, part)
            await self._carry(part)
        else:
            self._settle(part, answers, time.monotonic() - started)
            self._release(self._division, key, part)

    def _release(
        self,
        division: Division[Item, Answer],
        key: Hashable,
        part: list[Entry[Item, Answer]],
    ) -> None:
        """Hold a key aside no longer; what comes after the part that was tried comes next."""
        rest = self._aside.release(key)[len(part) :]
        self._pending.extendleft(reversed(rest))
        self._expect(0.0)
        log.info("batch.released", batch=self._name, size=len(rest), **{division.named: key})

    def _abandon(self) -> None:
        self._forget_due()
        for _, future in (*self._pending, *self._aside.entries()):
            if not future.done():
                future.cancel()
        self._pending.clear()
