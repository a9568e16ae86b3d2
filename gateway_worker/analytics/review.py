"""Looks at each session of a worker now and then, beside its traffic (a service)."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway_contracts import (
    ErrorCategory,
    ErrorCode,
    HealthGrade,
    SessionHealth,
    SessionHealthData,
)
from gateway_worker.analytics.days import DayWatch
from gateway_worker.analytics.health import Signs, judge
from gateway_worker.analytics.ports import AnalyticsStore
from gateway_worker.analytics.reviewed import ReviewedSession, Standing
from gateway_worker.analytics.undelivered import UndeliveredWatch
from gateway_worker.errors import GatewayError
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.changes import Change, Review, source_of

log = structlog.get_logger(__name__)

_WINDOW: Final = timedelta(hours=1)
_MOST_SKEW: Final = timedelta(minutes=5)
"""By a clock that is further off messages would be undelivered that were just sent, and days over
that have not begun: what is told once is not told again when the clock is right."""
_FAILURES: Final = tuple(
    code.value
    for code in ErrorCode
    if code.category
    in (
        ErrorCategory.RECIPIENT,
        ErrorCategory.RATE,
        ErrorCategory.ACCOUNT,
        ErrorCategory.UPSTREAM,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigures:
    """How the sessions of a worker do, as of the last looks.

    Attributes:
        grades: How many sessions have which grade.
        chats: People whom they have sent something in the last hour.
        cold_chats: Of these, those who have never written.
    """

    grades: Mapping[HealthGrade, int]
    chats: int
    cold_chats: int


class HealthWatch:
    """Tells when a session's grade has changed.

    Args:
        worker_id: The source of what is told.
        store: Tells what a session has sent.
        clock: The time.
        every_seconds: How often a session is looked at; 0: never.
    """

    def __init__(
        self, *, worker_id: str, store: AnalyticsStore, clock: Clock, every_seconds: float
    ) -> None:
        self._source = source_of(worker_id)
        self._store = store
        self._clock = clock
        self._every_seconds = every_seconds

    async def look(self, session: ReviewedSession, standing: Standing, now: datetime) -> None:
        """Look at how a session does, if it is time for that.

        Raises:
            DependencyError: It is not known whether a new grade was told; the next look tells it.
        """
        if not self._every_seconds or self._clock.monotonic() < standing.health_at:
            return
        standing.health_at = self._clock.monotonic() + self._every_seconds
        signs = Signs(
            traffic=await self._store.traffic(
                session.session_id, since=now - _WINDOW, failures=_FAILURES
            ),
            retry_receipts=_retries(session, standing, now),
            silent_seconds=_silent_seconds(session, now),
        )
        standing.traffic = signs.traffic
        grading = standing.grading
        grade = grading.look(signs)
        if grade is grading.grade:
            return
        event = SessionHealth(
            source=self._source,
            subject=session.session_id,
            data=SessionHealthData(
                grade=grade,
                previous=grading.grade,
                reasons=tuple(judge(signs)[1]),
                sends=signs.traffic.sends,
                failures=signs.traffic.failures,
                refusals=signs.traffic.refusals,
                retry_receipts=signs.retry_receipts,
                chats=signs.traffic.chats,
                cold_chats=signs.traffic.cold_chats,
                silent_seconds=signs.silent_seconds,
            ),
        )
        change = Change(
            session_id=session.session_id,
            epoch=session.epoch,
            events=(event,),
            review=Review(grade=grade.value),
        )
        if not (await session.record(change)).fenced:
            log.info("session.health", session_id=session.session_id, grade=grade.value)
            grading.settle(grade)


class SessionReviews:
    """Looks at the sessions one after the other, until it is asked to stop (a service).

    Args:
        sessions: Those that are here now.
        store: Has how far they have been looked at.
        clock: The time.
        undelivered: Looks for what nobody has confirmed.
        days: Tells days that are over.
        health: Tells how sessions do.
        interval_seconds: Between two looks at a session.
    """

    def __init__(
        self,
        *,
        sessions: Callable[[], Iterable[ReviewedSession]],
        store: AnalyticsStore,
        clock: Clock,
        undelivered: UndeliveredWatch,
        days: DayWatch,
        health: HealthWatch,
        interval_seconds: float = 30.0,
    ) -> None:
        self._sessions = sessions
        self._store = store
        self._clock = clock
        self._watches = (undelivered, days, health)
        self._interval_seconds = interval_seconds
        self._standings: dict[str, Standing] = {}

    def figures(self) -> ReviewFigures:
        """Return how the sessions do."""
        standings = self._standings.values()
        return ReviewFigures(
            grades=Counter(one.grading.grade for one in standings),
            chats=sum(one.traffic.chats for one in standings),
            cold_chats=sum(one.traffic.cold_chats for one in standings),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            sessions = list(self._sessions())
            pause = self._interval_seconds / max(1, len(sessions))
            if not sessions or not await self.is_in_time():
                await _wait(stop, self._interval_seconds)
                continue
            await self.take_up(sessions)
            for session in sessions:
                await self.look(session)
                await _wait(stop, pause)

    async def is_in_time(self) -> bool:
        """Tell whether this machine's clock is right enough to say what is over."""
        try:
            ahead = self._clock.now() - await self._store.now()
        except GatewayError as error:
            log.warning("session.not_reviewed", reason=str(error))
            return False
        if abs(ahead) <= _MOST_SKEW:
            return True
        seconds = round(ahead.total_seconds())
        log.warning("session.not_reviewed", reason="the clock is off", ahead=seconds)
        return False

    async def take_up(self, sessions: Iterable[ReviewedSession]) -> None:
        """Learn of sessions that are new here how far they have been looked at, in one question."""
        here = {one.session_id: one for one in sessions}
        known = {
            name: standing
            for name, standing in self._standings.items()
            if name in here and here[name].epoch == standing.epoch
        }
        new = [name for name in here if name not in known]
        self._standings = known
        if not new:
            return
        try:
            reviews = await self._store.reviews(new)
        except GatewayError as error:
            log.warning("session.not_reviewed", reason=str(error))
            return
        for name in new:
            self._standings[name] = Standing.of(here[name].epoch, reviews.get(name))

    async def look(self, session: ReviewedSession) -> None:
        """Look at a session; what cannot be done now is done the next time."""
        standing = self._standings.get(session.session_id)
        if standing is None or standing.epoch != session.epoch:
            return
        now = self._clock.now()
        for watch in self._watches:
            try:
                await watch.look(session, standing, now)
            except GatewayError as error:
                log.warning(
                    "session.not_reviewed", session_id=session.session_id, reason=str(error)
                )


def _retries(session: ReviewedSession, standing: Standing, now: datetime) -> int:
    """Return how often devices have asked for messages again within the window."""
    standing.retries.append((now, session.retry_receipts))
    while len(standing.retries) > 1 and standing.retries[1][0] <= now - _WINDOW:
        standing.retries.popleft()
    return max(0, session.retry_receipts - standing.retries[0][1])


def _silent_seconds(session: ReviewedSession, now: datetime) -> float | None:
    heard_at = session.info().heard_at
    return None if heard_at is None else round(max(0.0, (now - heard_at).total_seconds()), 1)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
