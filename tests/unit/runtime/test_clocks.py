"""What every clock promises: the machine's, and those that tests move."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from gateway_worker.runtime.clock import Clock, SystemClock
from tests.support.clocks import AheadClock, ManualClock

CLOCKS: dict[str, Callable[[], Clock]] = {
    "the machine's": SystemClock,
    "moved by hand": ManualClock,
    "moved by looks": partial(ManualClock, step_seconds=1),
    "ahead": AheadClock,
}


@pytest.fixture(params=CLOCKS)
def clock(request: pytest.FixtureRequest) -> Clock:
    """Return a clock of each kind."""
    return CLOCKS[request.param]()


def test_the_time_of_day_is_aware_and_in_utc(clock: Clock) -> None:
    """It is written down and compared with deadlines."""
    assert isinstance(clock.now(), datetime)
    assert clock.now().tzinfo is UTC


def test_seconds_never_run_backwards(clock: Clock) -> None:
    """Whatever else is asked in between."""
    looks = []
    for _ in range(50):
        looks.append(clock.monotonic())
        clock.now()
    assert looks == sorted(looks)


@pytest.mark.parametrize("seconds", [1.5, 3600])
def test_a_clock_that_is_moved_shows_it_in_both_ways(seconds: float) -> None:
    """A deadline passes when its pause does."""
    manual, ahead = ManualClock(), AheadClock()
    for clock in (manual, ahead):
        began, day = clock.monotonic(), clock.now()
        if isinstance(clock, ManualClock):
            clock.seconds += seconds
        else:
            clock.ahead_seconds += seconds
        assert clock.monotonic() - began >= seconds
        assert (clock.now() - day).total_seconds() >= seconds
