"""Publishes what the recorder has committed: in order per session, repeated until confirmed.

Rows come straight from the recorder, without a read of the table. The table is read at the start,
and again whenever more rows wait than memory should hold (a broker that stays unavailable): then
new rows are left in the table and fetched from there, page by page, until the relay has caught up.
One session's events are published one after the other, so a failed one can never be overtaken;
sessions are published side by side.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from gateway_worker.errors import GatewayError, RetryableError
from gateway_worker.outbox.ports import (
    EventPublisher,
    EventTracing,
    FullQueueError,
    OutboxStore,
    UnpublishableError,
)
from gateway_worker.runtime.batcher import Batcher
from gateway_worker.runtime.mailbox import Mailboxes
from gateway_worker.runtime.retry import Backoff, until_answered
from gateway_worker.sessions.changes import OutboxRow, is_last_page

log = structlog.get_logger(__name__)

_PAGE = 1_000
_MARK_SECONDS = 0.1
"""Between two notes of what is published: what a crash in between publishes again is this much."""
_ADOPTED_AT_ONCE = 4
"""So many pages of what others have left are read at a time: each may have `PAGE_BYTES`."""
_REFUSAL_ENDS_SECONDS = 30.0
"""After so long without a refusal the next one begins the window anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How much the relay holds at most.

    Attributes:
        rows: Rows that are not published.
        size_bytes: What they have together; pages of the table that are just read come on top.
    """

    rows: int = 5_000
    size_bytes: int = 64 * 1024 * 1024


MEMORY = Memory()


class RefusalWindow:
    """How long all events wait for a queue that is full, before they go on without it.

    Args:
        seconds: Counted from the first refusal; infinite for as long as it takes.
        clock: Seconds that only rise.
    """

    def __init__(self, *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since = self._last = float("-inf")

    def is_over(self) -> bool:
        """Note a refusal; tell whether it was one too many."""
        now = self._clock()
        if now - self._last > _REFUSAL_ENDS_SECONDS:
            self._since = now
        self._last = now
        return now - self._since >= self._seconds

    def begin_anew(self) -> None:
        """Begin with the next refusal: it may be another queue's, which has lost its leader.

        Not before the window has been over for as long as it lasts, or events would only wait where
        that happens again and again.
        """
        if self._clock() - self._since >= 2 * self._seconds:
            self._last = float("-inf")


class Relay:
    """Moves events from outbox to broker.

    Args:
        store: The outbox table.
        publisher: Publishes with confirms.
        memory: How many unpublished rows to hold at most.
        full_queue_patience_seconds: How long events wait for a queue that is full. Then they count
            as published: the other queues have them, and they stay stored for `session.replay`.
        published: Called with an event's type once the broker has confirmed it, and with the
            seconds since it was taken up here, which is right after its commit.
        tracing: Traces events; without it none is traced.

    Attributes:
        passed_over: Events that a full queue has missed.
        unpublishable: Events that the broker will never take.
    """

    def __init__(
        self,
        *,
        store: OutboxStore,
        publisher: EventPublisher,
        memory: Memory = MEMORY,
        full_queue_patience_seconds: float = 5.0,
        published: Callable[[str, float], None] = lambda _type, _seconds: None,
        tracing: EventTracing | None = None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._memory = memory
        self._published = published
        self._tracing = tracing
        self._refusals = RefusalWindow(seconds=full_queue_patience_seconds)
        self.passed_over = 0
        self.unpublishable = 0
        self._mailboxes: Mailboxes[tuple[OutboxRow, float]] = Mailboxes(
            handle=self._publish, name="relay"
        )
        self._marks: Batcher[int, None] = Batcher(
            flush=self._mark, name="relay.marks", linger_seconds=_MARK_SECONDS, max_items=_PAGE
        )
        self._page = min(_PAGE, max(1, memory.rows // 2))
        self._behind = asyncio.Event()
        self._behind.set()  # rows of an earlier life may wait in the table
        self._meanwhile: list[OutboxRow] | None = None  # offered during a read, unless too many
        self._nudged = asyncio.Event()
        self._up_to = 0
        self._offered = 0
        self._ahead: set[int] = set()
        self._reread_after: int | None = None
        self._held = self._held_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._adopting = asyncio.Semaphore(_ADOPTED_AT_ONCE)

    @property
    def held(self) -> int:
        """Rows in memory that the broker has not confirmed."""
        return self._held

    @property
    def held_bytes(self) -> int:
        """How much these have together."""
        return self._held_bytes

    @property
    def is_behind(self) -> bool:
        """Whether more events wait for the broker than go out in a moment."""
        return self._behind.is_set() or self._held >= self._page

    def offer(self, rows: Sequence[OutboxRow]) -> None:
        """Take rows that were just committed. Never blocks.

        They come in order, but for those of a session that was held aside: what has been read and
        offered since they got their places comes after them.
        """
        is_late = any(self._is_late(row.outbox_id) for row in rows)
        self._offered = max([self._offered, *(row.outbox_id for row in rows)])
        if self._ahead:
            self._ahead = {place for place in self._ahead if place > self._offered}
        if is_late:
            # From the start: what was committed beside them, and not heard of yet, is in between.
            self._reread(0)
            return
        if not self._behind.is_set() and self._fits(rows):
            self._post(rows)
            return
        self._behind.set()  # left in the table, and read from there
        if self._meanwhile is not None:
            self._meanwhile.extend(rows)
            if not self._fits(self._meanwhile):
                self._meanwhile = None

    def _is_late(self, place: int) -> bool:
        """Whether a row has its place below what was offered, or what was read without it."""
        return place <= self._offered or (place <= self._up_to and place not in self._ahead)

    async def adopt(self, session_ids: Sequence[str]) -> None:
        """Publish what former owners of these sessions have left, before anything newer of them.

        Returns when it is queued, and waits while the database is unavailable. Where more is held
        than there is room for, it is read from the table once there is some, with whatever comes
        after it. What of that is held already is published twice.
        """
        after = 0
        while True:
            page = partial(self._store.pending_of, session_ids, after=after, limit=self._page)
            async with self._adopting:
                rows = await until_answered(page, name="outbox.pending_of")
                if rows and not self._fits(rows):
                    self._reread(rows[0].outbox_id - 1)
                    return
                self._queue(rows)
            if is_last_page(rows, limit=self._page):
                return
            after = rows[-1].outbox_id

    async def adopt_strays(self) -> None:
        """Publish what dead workers have left of sessions that are gone. Raises `DependencyError`.

        Everything that waits is read again, so rows in memory may be published twice.
        """
        if strays := await self._store.adopt_strays():
            log.info("relay.strays_adopted", events=strays)
            self._reread(0)

    def _reread(self, after: int) -> None:
        """Read the table again from a place on; what is under way may be published twice."""
        if self._reread_after is not None:
            after = min(after, self._reread_after)
        self._reread_after = after
        self._behind.set()

    def nudge(self) -> None:
        """Try again at once: the broker may be back."""
        waiting, self._nudged = self._nudged, asyncio.Event()
        waiting.set()

    def doubt(self) -> None:
        """Wait for a queue that refuses, although another one has been passed over for long."""
        self._refusals.begin_anew()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set and what is held has been published and marked."""
        marks_stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._marks.run(marks_stop), name="relay.marks")
                await self._until(stop)
                await self._mailboxes.join()
                marks_stop.set()
        finally:
            await self._mailboxes.cancel()  # only if it was cancelled itself is anything left

    async def _until(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait(), name="relay.stop")
        try:
            while not stop.is_set():
                behind = asyncio.create_task(self._behind.wait(), name="relay.behind")
                try:
                    await asyncio.wait((stopping, behind), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    behind.cancel()
                if self._behind.is_set() and not stop.is_set():
                    await self._catch_up(stop)
        finally:
            stopping.cancel()

    async def _catch_up(self, stop: asyncio.Event) -> None:
        """Publish from the table until nothing is left there, then listen to the recorder again.

        The last page holds all that was committed before it was read. What has been
        committed since then was offered since then.
        """
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)
        while not stop.is_set():
            await self._room.wait()
            self._go_back()
            try:
                rows, meanwhile = await self._read()
            except RetryableError as error:
                log.warning("relay.read_failed", reason=str(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(backoff.next_seconds()):
                        await stop.wait()
                continue
            if self._reread_after is not None:
                continue  # something below what was read has come meanwhile: it goes first
            self._post(rows)
            self._note_ahead(rows)
            is_all = is_last_page(rows, limit=self._page)
            if is_all and meanwhile is not None and self._fits(meanwhile):
                self._post(meanwhile)
                self._behind.clear()
                return

    def _go_back(self) -> None:
        """Begin the next read where something has come below what was read."""
        if self._reread_after is not None:
            self._up_to = min(self._up_to, self._reread_after)
            self._reread_after = None

    async def _read(self) -> tuple[Sequence[OutboxRow], list[OutboxRow] | None]:
        """Return a page of the table, and what was offered meanwhile unless that was too much."""
        self._meanwhile = []
        try:
            rows = await self._store.pending(after=self._up_to, limit=self._page)
            return rows, self._meanwhile
        finally:
            self._meanwhile = None

    def _note_ahead(self, rows: Sequence[OutboxRow]) -> None:
        """Note what was read before it was offered.

        Some is enough: what is not known to have been read is read again.
        """
        self._ahead |= {row.outbox_id for row in rows if row.outbox_id > self._offered}
        if len(self._ahead) > _PAGE:
            self._ahead = set(sorted(self._ahead)[-_PAGE:])

    def _fits(self, rows: Sequence[OutboxRow]) -> bool:
        if self._held + len(rows) > self._memory.rows:
            return False
        return self._held_bytes + _bytes_of(rows) <= self._memory.size_bytes

    def _post(self, rows: Sequence[OutboxRow]) -> None:
        """Queue rows that were not queued before; they come in order, by offer as by read."""
        new = [row for row in rows if row.outbox_id > self._up_to]
        if new:
            self._up_to = new[-1].outbox_id
            self._queue(new)

    def _queue(self, rows: Sequence[OutboxRow]) -> None:
        self._hold(len(rows), _bytes_of(rows))
        now = time.monotonic()
        for row in rows:
            self._mailboxes.post(row.session_id, (row, now))

    def _hold(self, rows: int, size: int) -> None:
        self._held += rows
        self._held_bytes += size
        has_room = self._held + self._page <= self._memory.rows
        if has_room and self._held_bytes <= self._memory.size_bytes // 2:
            self._room.set()
        else:
            self._room.clear()

    async def _publish(self, _session_id: str, item: tuple[OutboxRow, float]) -> None:
        row, since = item
        try:
            await self._publish_until_confirmed(row)
        finally:
            self._hold(-1, -len(row.body))
        self._published(row.type, time.monotonic() - since)
        if self._tracing is not None:
            self._tracing.published(row, since=since)
        self._marks.submit(row.outbox_id)

    async def _publish_until_confirmed(self, row: OutboxRow) -> None:
        """Publish a row, whatever happens: a later one of its session must not overtake it."""
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)
        while True:
            try:
                await self._publisher.publish(row)
            except UnpublishableError as error:
                await self._set_aside(row, error)
                return
            except FullQueueError as error:
                if self._refusals.is_over():
                    self._pass_over(row, error)
                    return
                log.warning("relay.publish_failed", event_id=row.event_id, reason=str(error))
            except RetryableError as error:
                log.warning("relay.publish_failed", event_id=row.event_id, reason=str(error))
            except Exception:  # even a fault of our own must not let a later one overtake
                log.exception("relay.publish_failed_unexpectedly", event_id=row.event_id)
            else:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_seconds()):
                    await self._nudged.wait()

    def _pass_over(self, row: OutboxRow, error: FullQueueError) -> None:
        """Go on without the queue that is full; the others have the event."""
        self.passed_over += 1
        log.error("relay.queue_passed_over", event_id=row.event_id, reason=str(error))

    async def _set_aside(self, row: OutboxRow, error: UnpublishableError) -> None:
        """Leave an event out, so that those after it go on, and say so."""
        self.unpublishable += 1
        log.error(
            "relay.event_unpublishable",
            event_id=row.event_id,
            event_type=row.type,
            session_id=row.session_id,
            size_bytes=len(row.body),
            reason=str(error),
        )
        try:
            await until_answered(
                partial(self._publisher.set_aside, row, reason=str(error)), name="relay.set_aside"
            )
        except GatewayError as failure:
            log.exception("relay.event_not_set_aside", reason=str(failure))

    async def _mark(self, outbox_ids: Sequence[int]) -> Sequence[None]:
        await self._store.mark_published(outbox_ids)
        return [None] * len(outbox_ids)


def _bytes_of(rows: Sequence[OutboxRow]) -> int:
    return sum(len(row.body) for row in rows)
