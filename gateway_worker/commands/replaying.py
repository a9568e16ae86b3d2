"""Publishes a session's stored events once more, to one queue of a backend's (`session.replay`).

The rows are the outbox's own, kept for a while after they were published. They go one after the
other, each confirmed before the next: what a backend reads from its queue is in order whatever
happens on the way, and a replay that was cut off and is run again only repeats ids.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from gateway_contracts import ReplayInfo, SessionReplayData
from gateway_worker.errors import DependencyError, InvalidCommandError, RetryableError
from gateway_worker.runtime.retry import Backoff, until_answered
from gateway_worker.sessions.changes import OutboxRow, is_last_page

log = structlog.get_logger(__name__)

_PAGE = 256


class QueueFullError(RetryableError):
    """The backend's queue takes no more messages until some of it has been read."""


class RetainedEvents(Protocol):
    """The published events that are still stored (implemented by the outbox's store)."""

    async def retained(
        self,
        session_id: str,
        *,
        from_sequence: int | None = None,
        since: datetime | None = None,
        limit: int,
        after_id: int = 0,
    ) -> Sequence[OutboxRow]:
        """Return a page of a session's published events, in order, whoever has published them.

        Args:
            session_id: Whose; events of a deleted session are not replayed.
            from_sequence: The first sequence wanted.
            since: The earliest time of commit wanted.
            limit: How many at most; ask again with `after_id` for more.
            after_id: Only rows with a greater `outbox_id`.

        Raises:
            DependencyError: The database cannot be used now.
        """
        ...


class Replayer(Protocol):
    """Publishes one stored event to one queue of a backend's."""

    async def publish_replay(self, row: OutboxRow, *, queue: str) -> None:
        """Publish with the event's own id and return once the broker has confirmed it.

        Raises:
            InvalidCommandError: The queue is not bound for replays, or is no backend's.
            QueueFullError: It refuses the message.
            DependencyError: It is not known to be stored.
        """
        ...


@dataclass(slots=True, kw_only=True)
class _Progress:
    """What has been published so far, and whether anything was missing."""

    events: int = 0
    first: int | None = None
    last: int | None = None
    gaps: bool = field(default=False)

    def note(self, sequence: int) -> None:
        self.gaps = self.gaps or (self.last is not None and sequence != self.last + 1)
        self.first = sequence if self.first is None else self.first
        self.last = sequence
        self.events += 1


class Replays:
    """Runs replays.

    Args:
        events: Where the events are stored.
        replayer: Publishes them.
        patience_seconds: How long a full queue is waited for. A broker or database that is
            unavailable is waited for without an end: nothing else could go on either.
    """

    def __init__(
        self, *, events: RetainedEvents, replayer: Replayer, patience_seconds: float = 60.0
    ) -> None:
        self._events = events
        self._replayer = replayer
        self._patience_seconds = patience_seconds

    async def run(
        self,
        session_id: str,
        wanted: SessionReplayData,
        *,
        check: Callable[[], Awaitable[object]],
    ) -> ReplayInfo:
        """Publish what is wanted; returns how much it was.

        Args:
            session_id: Whose events.
            wanted: Which, and to which queue.
            check: Called before each page; it raises if the session is no longer this worker's.

        Raises:
            InvalidCommandError: The queue is not bound for replays, or the end is before the
                beginning.
            QueueFullError: The queue stayed full for longer than the patience.
        """
        _check_range(wanted)
        oldest = await self._oldest(session_id)
        progress = _Progress()
        async for row, sequence in self._rows(session_id, wanted, check):
            await self._publish(row, queue=wanted.queue)
            progress.note(sequence)
        log.info("replay.done", events=progress.events, last_sequence=progress.last)
        return ReplayInfo(
            events=progress.events,
            first_sequence=progress.first,
            last_sequence=progress.last,
            complete=not progress.gaps and _reaches_back(wanted, progress.first, oldest),
        )

    async def _rows(
        self,
        session_id: str,
        wanted: SessionReplayData,
        check: Callable[[], Awaitable[object]],
    ) -> AsyncIterator[tuple[OutboxRow, int]]:
        after_id = 0
        while True:
            await check()
            page = await self._page(session_id, wanted, after_id)
            for row in page:
                if row.sequence is None:  # of no stream, so no replay's
                    continue
                if wanted.until_sequence is not None and row.sequence > wanted.until_sequence:
                    return
                yield row, row.sequence
            if is_last_page(page, limit=_PAGE):
                return
            after_id = page[-1].outbox_id

    async def _page(
        self, session_id: str, wanted: SessionReplayData, after_id: int
    ) -> Sequence[OutboxRow]:
        return await until_answered(
            lambda: self._events.retained(
                session_id,
                from_sequence=wanted.from_sequence,
                since=wanted.since,
                limit=_PAGE,
                after_id=after_id,
            ),
            name="outbox.retained",
        )

    async def _oldest(self, session_id: str) -> int | None:
        """Return the sequence of the oldest event that is still stored."""
        rows = await until_answered(
            lambda: self._events.retained(session_id, from_sequence=1, limit=1),
            name="outbox.retained",
        )
        return rows[0].sequence if rows else None

    async def _publish(self, row: OutboxRow, *, queue: str) -> None:
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)
        full_since: float | None = None
        while True:
            try:
                await self._replayer.publish_replay(row, queue=queue)
            except QueueFullError:
                now = time.monotonic()
                full_since = now if full_since is None else full_since
                if now - full_since >= self._patience_seconds:
                    raise
            except DependencyError as error:
                log.warning("replay.publish_failed", event_id=row.event_id, reason=str(error))
                full_since = None
            else:
                return
            await asyncio.sleep(backoff.next_seconds())


def _check_range(wanted: SessionReplayData) -> None:
    first, last = wanted.from_sequence, wanted.until_sequence
    if first is not None and last is not None and last < first:
        raise InvalidCommandError(
            "the last event wanted is before the first", pointer="/data/until_sequence"
        )


def _reaches_back(wanted: SessionReplayData, first: int | None, oldest: int | None) -> bool:
    """Whether nothing that was wanted had been pruned before the replay began.

    Events are pruned from the oldest on. One that is older than what was wanted, and still stored,
    proves that none of the wanted is gone; without one, a time does not tell.
    """
    if oldest is None:
        return False
    if wanted.from_sequence is not None:
        return (oldest if first is None else first) <= wanted.from_sequence
    return oldest == 1 or first is None or oldest < first
