"""How many messages there were: of a day that is over from its row, of the last ones anew.

Receipts come late, so the last days are counted again: with each question, and once more for good
at the end of the third day after.
"""

from datetime import date, timedelta
from typing import Final

from gateway_contracts import (
    AnalyticsCountersData,
    AnalyticsFleetData,
    Counters,
    DayCounts,
    FleetCounters,
)
from gateway_worker.analytics.ports import AnalyticsStore, Together
from gateway_worker.runtime.clock import Clock

OPEN_DAYS: Final = 3
"""For so many days before today receipts may still change what was counted."""


class CounterReading:
    """Answers how many there were.

    Args:
        store: Adds up rows.
        clock: The time.
    """

    def __init__(self, *, store: AnalyticsStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, session_id: str, data: AnalyticsCountersData) -> Counters:
        """Return the wanted days on which there was anything. May raise `DependencyError`."""
        today = self._clock.now().date()
        first_open = today - timedelta(days=OPEN_DAYS)
        counted = await self._store.counted(session_id, since=data.since, until=data.until)
        days = []
        for day in _days(data.since, min(data.until, today)):
            counts = counted.get(day)
            if day >= first_open:
                counts = await self._store.count(session_id, day)
            if counts is not None and has_any(counts):
                days.append(counts)
        return Counters(days=tuple(days))

    async def read_fleet(self, data: AnalyticsFleetData, *, tenant: str | None) -> FleetCounters:
        """Return the wanted days of all sessions with some labels, added up.

        Args:
            data: Which days, and which labels.
            tenant: Whose sessions; None for everybody's.

        Raises:
            DependencyError: The database says so.
        """
        sessions, days = await self._store.counted_together(
            Together(since=data.since, until=data.until, labels=data.labels, tenant=tenant)
        )
        return FleetCounters(sessions=sessions, days=tuple(days))


def has_any(counts: DayCounts) -> bool:
    """Whether there was anything on a day."""
    return bool(counts.kinds or counts.failed)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
