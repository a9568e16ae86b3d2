"""The one source of time, handed in, so that tests decide what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time in two ways; both calls are cheap."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC: for deadlines and for what is written."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never run backwards: for durations."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()
