"""Days that are over: counted, told once, and counted again until receipts are late no more."""

import zlib
from datetime import UTC, date, datetime, timedelta
from typing import Final

from gateway_contracts import AnalyticsDaily, AnalyticsDailyData
from gateway_worker.analytics.counters import OPEN_DAYS, has_any
from gateway_worker.analytics.ports import AnalyticsStore
from gateway_worker.analytics.reviewed import ReviewedSession, Standing
from gateway_worker.sessions.changes import Change, CountedDay, Review, source_of

_GRACE: Final = timedelta(minutes=10)
"""After midnight: receipts of the last messages are still on their way."""
_SPREAD_SECONDS: Final = 3_600
"""Over so long the sessions of a fleet are spread, that not all are counted at once."""
_MOST_MISSED: Final = timedelta(days=31)


class DayWatch:
    """Tells what there was on each day, once it is over.

    Args:
        worker_id: The source of what is told.
        store: Counts.
    """

    def __init__(self, *, worker_id: str, store: AnalyticsStore) -> None:
        self._source = source_of(worker_id)
        self._store = store

    async def look(self, session: ReviewedSession, standing: Standing, now: datetime) -> None:
        """Tell the next day that is over and has not been told, if there is one.

        Raises:
            DependencyError: It is not known what was told; the next look finds out.
        """
        due = (now - _GRACE - _offset(session.session_id)).astimezone(UTC).date()
        yesterday = due - timedelta(days=1)
        day = self._next(session, standing, yesterday)
        if day > yesterday:
            return
        counts = await self._store.count(session.session_id, day)
        labels = session.info().labels
        again = [
            CountedDay(counts=earlier, labels=labels)
            for back in range(1, OPEN_DAYS + 1)
            if has_any(
                earlier := await self._store.count(session.session_id, day - timedelta(days=back))
            )
        ]
        events: tuple[AnalyticsDaily, ...] = ()
        if has_any(counts):
            again.append(CountedDay(counts=counts, labels=labels))
            events = (
                AnalyticsDaily(
                    source=self._source,
                    subject=session.session_id,
                    data=AnalyticsDailyData(counts=counts, labels=dict(labels)),
                ),
            )
        change = Change(
            session_id=session.session_id,
            epoch=session.epoch,
            events=events,
            review=Review(told_day=day),
            counted=tuple(again),
        )
        if not (await session.record(change)).fenced:
            standing.told_day = day

    @staticmethod
    def _next(session: ReviewedSession, standing: Standing, yesterday: date) -> date:
        """Return the day after the last that was told; of a session that had none its first."""
        if standing.told_day is not None:
            return max(standing.told_day + timedelta(days=1), yesterday - _MOST_MISSED)
        created = session.info().created_at
        return yesterday if created is None else max(created.date(), yesterday)


def _offset(session_id: str) -> timedelta:
    return timedelta(seconds=zlib.crc32(session_id.encode()) % _SPREAD_SECONDS)
