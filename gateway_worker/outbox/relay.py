"""Publishes what the recorder has committed: in order per session, repeated until confirmed.

Rows come straight from the recorder, without a read of the table. The table is read at the start,
and again whenever more rows wait than memory should hold (a broker that stays away): then new rows
are left in the table and fetched from there, page by page, until the relay has caught up. One
session's events are published one after the other, so a failed one can never be overtaken; sessions
are published side by side.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from gateway_worker.errors import RetryableError
from gateway_worker.outbox.ports import EventPublisher, OutboxStore
from gateway_worker.runtime.batcher import Batcher
from gateway_worker.runtime.mailbox import Mailboxes
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.changes import OutboxRow

log = structlog.get_logger(__name__)

_PAGE = 1_000
_MARK_SECONDS = 0.1
"""Between two notes of what is published: what a crash in between publishes again is this much."""


class Relay:
    """Moves events from outbox to broker.

    Args:
        store: The outbox table.
        publisher: Publishes with confirms.
        memory_rows: How many unpublished rows to hold at most.
        published: Called with an event's type once the broker has confirmed it, and with the
            seconds since it was taken up here, which is right after its commit.
    """

    def __init__(
        self,
        *,
        store: OutboxStore,
        publisher: EventPublisher,
        memory_rows: int = 5_000,
        published: Callable[[str, float], None] = lambda _type, _seconds: None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._memory_rows = memory_rows
        self._published = published
        self._mailboxes: Mailboxes[tuple[OutboxRow, float]] = Mailboxes(
            handle=self._publish, name="relay"
        )
        self._marks: Batcher[int, None] = Batcher(
            flush=self._mark, name="relay.marks", pace_seconds=_MARK_SECONDS, max_items=_PAGE
        )
        self._behind = asyncio.Event()
        self._behind.set()  # rows of an earlier life may wait in the table
        self._left_in_table = False
        self._read_up_to = 0
        self._last_mark: asyncio.Future[None] | None = None
        self._held = 0

    @property
    def held(self) -> int:
        """Rows in memory that the broker has not confirmed."""
        return self._held

    def offer(self, rows: Sequence[OutboxRow]) -> None:
        """Take rows that were just committed. Never blocks."""
        if self._behind.is_set() or self._held + len(rows) > self._memory_rows:
            self._left_in_table = True  # and read from there, in order
            self._behind.set()
            return
        self._post([row for row in rows if row.outbox_id > self._read_up_to])

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set and what is held has been published and marked."""
        marks_stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._marks.run(marks_stop), name="relay.marks")
            await self._until(stop)
            await self._mailboxes.join()
            marks_stop.set()

    async def _until(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait(), name="relay.stop")
        try:
            while not stop.is_set():
                behind = asyncio.create_task(self._behind.wait(), name="relay.behind")
                await asyncio.wait((stopping, behind), return_when=asyncio.FIRST_COMPLETED)
                behind.cancel()
                if self._behind.is_set() and not stop.is_set():
                    await self._catch_up(stop)
        finally:
            stopping.cancel()

    async def _catch_up(self, stop: asyncio.Event) -> None:
        """Publish from the table until it is empty, then listen to the recorder again.

        An empty page proves that the table is empty only if nothing was left there while it was
        being read.
        """
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)
        while not stop.is_set():
            await self._mailboxes.join()
            if self._last_mark is not None:  # an unmarked row would be read, and published, again
                await self._last_mark
            self._left_in_table = False
            try:
                rows = await self._store.pending(after=0, limit=_PAGE)
            except RetryableError as error:
                log.warning("relay.read_failed", reason=str(error))
                await asyncio.sleep(backoff.next_seconds())
                continue
            if rows:
                self._read_up_to = rows[-1].outbox_id
                self._post(rows)
            elif not self._left_in_table:
                self._behind.clear()
                return

    def _post(self, rows: Sequence[OutboxRow]) -> None:
        self._held += len(rows)
        now = time.monotonic()
        for row in rows:
            self._mailboxes.post(row.session_id, (row, now))

    async def _publish(self, _session_id: str, item: tuple[OutboxRow, float]) -> None:
        row, since = item
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)
        try:
            while True:
                try:
                    await self._publisher.publish(row)
                    break
                except RetryableError as error:
                    log.warning("relay.publish_failed", event_id=row.event_id, reason=str(error))
                    await asyncio.sleep(backoff.next_seconds())
        finally:
            self._held -= 1
        self._published(row.type, time.monotonic() - since)
        self._last_mark = self._marks.submit(row.outbox_id)

    async def _mark(self, outbox_ids: Sequence[int]) -> Sequence[None]:
        await self._store.mark_published(outbox_ids)
        return [None] * len(outbox_ids)
