"""Clocks for tests; the port's tests (`tests/unit/runtime/test_clocks.py`) run against them too."""

from datetime import UTC, datetime, timedelta

from gateway_worker.runtime.clock import Clock, SystemClock

START = datetime(2026, 11, 24, 6, tzinfo=UTC)


class ManualClock(Clock):
    """Stands still until it is moved, or goes on by a step with every look.

    Args:
        at: What time of day it is.
        step_seconds: How far each look moves it.

    Attributes:
        seconds: How far it has been moved.
    """

    def __init__(self, *, at: datetime = START, step_seconds: float = 0.0) -> None:
        self.seconds = 0.0
        self._at = at
        self._step = step_seconds

    def now(self) -> datetime:
        """Return the time of day."""
        self.seconds += self._step
        return self._at + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return how far it has been moved."""
        self.seconds += self._step
        return self.seconds


class AheadClock(SystemClock):
    """Goes with real time, as far ahead of it as a test wants."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def now(self) -> datetime:
        """Return the time of day."""
        return super().now() + timedelta(seconds=self.ahead_seconds)

    def monotonic(self) -> float:
        """Return seconds."""
        return super().monotonic() + self.ahead_seconds
