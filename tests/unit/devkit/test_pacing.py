"""What is asserted of a whole time is asked for all of it."""

import asyncio
import time

import pytest

from tests.support.pacing import consistently, pace


async def test_what_holds_for_so_long_is_asked_to_the_end() -> None:
    """At the beginning, at the end and in between."""
    asked: list[float] = []

    def holds() -> bool:
        asked.append(time.monotonic())
        return True

    begun = time.monotonic()
    await consistently(holds, seconds=0.1)
    assert len(asked) > 1
    assert asked[-1] - begun >= 0.1


async def test_what_holds_no_more_is_noticed() -> None:
    """With the value that it had."""
    values = iter([3, 2, 1, 0])
    with pytest.raises(AssertionError, match="did not hold: 0"):
        await consistently(lambda: next(values), seconds=10)


async def test_it_is_over_with_the_event() -> None:
    """Either of the two may be asynchronous."""
    steps: list[int] = []

    async def goes_on() -> bool:
        steps.append(len(steps))
        return True

    async def has_come() -> bool:
        return len(steps) == 3

    await consistently(goes_on, until=has_come)
    assert steps == [0, 1, 2]


async def test_an_event_that_does_not_come_is_no_success() -> None:
    """Nor is one for which it did not hold."""
    with pytest.raises(AssertionError, match="what it was to hold until"):
        await consistently(lambda: True, until=lambda: False, timeout_seconds=0.02)
    with pytest.raises(AssertionError, match="did not hold"):
        await consistently(lambda: False, until=lambda: True)


async def test_a_pace_takes_its_time_and_no_other_s() -> None:
    """Others go on meanwhile."""
    begun = time.monotonic()
    await asyncio.gather(*(pace(0.05) for _ in range(20)))
    assert time.monotonic() - begun > 0.04
