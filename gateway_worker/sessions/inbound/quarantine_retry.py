"""Records arrivals again that the database has refused: again and again, later and later.

What was refused because of how things stood with the database is recorded in full as soon as it can
be. What is refused each time because of what is in it is recorded without its row in the history: a
backend then gets the event, and only quoting that message, or recognising it in a repeat, is lost.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, Final, Protocol

import structlog

from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.inbound.arrivals import forwarded
from gateway_worker.sessions.inbound.quarantine import Quarantine, QuarantineCount
from gateway_worker.sessions.inbound.rows import change_of

log = structlog.get_logger(__name__)

FULL_TIMES: Final = 5
"""How often an arrival is tried in full, before it is recorded without its row."""


class QuarantineRetry:
    """The quarantine of one session, tried again; what is in the history already changes nothing.

    Args:
        session_id: Whose arrivals they are.
        epoch: Under which the session is owned here.
        quarantine: Where they are kept.
        record: Queues a change.

    Attributes:
        left: How many are not recorded, as of the last look.
        recorded: How many have been recorded so far.
    """

    def __init__(
        self,
        *,
        session_id: str,
        epoch: int,
        quarantine: Quarantine,
        record: Callable[[Change], "asyncio.Future[Committed]"],
    ) -> None:
        self._session_id = session_id
        self._epoch = epoch
        self._quarantine = quarantine
        self._record = record
        self._times: Counter[bytes] = Counter()
        self.left = 0
        self.recorded = 0

    async def retry(self) -> int:
        """Record what is there, one by one; returns how many are left.

        Raises:
            OSError: The disk does not let go of what has been recorded; it is tried once more.
        """
        events = await asyncio.to_thread(self._quarantine.read)
        recorded = {event for event in events if await self._record_again(event)}
        if recorded:
            self.left = await asyncio.to_thread(self._quarantine.drop, recorded)
            self.recorded += len(recorded)
            log.info("inbound.recorded_again", session_id=self._session_id, events=len(recorded))
        else:
            self.left = len(events)
        for event in recorded:
            del self._times[event]
        return self.left

    async def _record_again(self, event: bytes) -> bool:
        self._times[event] += 1
        try:
            arrival, media = forwarded(event, session_id=self._session_id)
        except ValueError:
            log.exception("inbound.quarantine_unreadable", session_id=self._session_id)
            return False
        change = change_of(arrival, session_id=self._session_id, epoch=self._epoch, media=media)
        if self._times[event] > FULL_TIMES:
            change = replace(change, message=None, receipt=None)
        ids = [each.id for each in change.events]
        try:
            committed = await self._record(change)
        except Exception as error:  # noqa: BLE001 - the others must not wait for it
            log.error(  # noqa: TRY400 - its traceback says nothing of the row
                "inbound.quarantined_again",
                session_id=self._session_id,
                events=ids,
                times=self._times[event],
                reason=str(error),
            )
            return False
        if self._times[event] > FULL_TIMES and not committed.fenced:
            log.error("inbound.recorded_without_history", session_id=self._session_id, events=ids)
        return not committed.fenced


class WithQuarantine(Protocol):
    """A session, as far as its quarantine is concerned."""

    @property
    def quarantine_retry(self) -> QuarantineRetry:
        """What records its refused arrivals again."""
        ...


class QuarantineRetries:
    """Records again for all sessions here, until it is asked to stop (a service).

    Args:
        sessions: Those that are here now.
        quarantined: Counts those that are refused.
        initial_seconds: How long the first retry waits.
        maximum_seconds: How long a later one waits at most.

    Attributes:
        recorded: How many have been recorded again.
    """

    def __init__(
        self,
        *,
        sessions: Callable[[], Iterable[WithQuarantine]],
        quarantined: QuarantineCount,
        initial_seconds: float = 2.0,
        maximum_seconds: float = 300.0,
    ) -> None:
        self._sessions = sessions
        self._quarantined = quarantined
        self._initial_seconds = initial_seconds
        self._maximum_seconds = maximum_seconds
        self.recorded = 0

    @property
    def refused(self) -> int:
        """How many arrivals have been refused."""
        return self._quarantined.total

    @property
    def waiting(self) -> int:
        """Arrivals that the database has refused and that are not recorded yet."""
        return sum(session.quarantine_retry.left for session in self._sessions())

    async def run(self, stop: asyncio.Event) -> None:
        """Record what an earlier life has left, then what comes, until `stop` is set."""
        pause = self._initial_seconds
        while not stop.is_set():
            left = await self._retry_all()
            pause = min(2 * pause, self._maximum_seconds) if left else self._maximum_seconds
            if await self._first(stop.wait(), self._quarantined.next(), seconds=pause):
                pause = self._initial_seconds  # what comes close together is recorded together
                await self._first(stop.wait(), seconds=pause)

    async def _retry_all(self) -> int:
        left = 0
        for session in list(self._sessions()):
            recorded = session.quarantine_retry.recorded
            try:
                left += await session.quarantine_retry.retry()
            except OSError:
                log.exception("inbound.not_recorded_again")
                left += 1
            self.recorded += session.quarantine_retry.recorded - recorded
        return left

    @staticmethod
    async def _first(*events: Coroutine[Any, Any, object], seconds: float) -> bool:
        """Wait for the first of some events; False if none has come in time."""
        tasks = [asyncio.create_task(event, name="quarantine_retry.wait") for event in events]
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
        return bool(done)
