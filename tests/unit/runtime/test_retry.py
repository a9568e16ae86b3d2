"""Backoff: growing, bounded, spread out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.runtime.retry import Backoff


def upper(_low: float, high: float) -> float:
    """Stand in for chance: always the longest wait."""
    return high


def test_waits_double_up_to_the_maximum() -> None:
    """The longest possible wait doubles and stays at the maximum."""
    backoff = Backoff(initial_seconds=0.5, maximum_seconds=3.0, uniform=upper)

    assert [backoff.next_seconds() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.attempts == 5


def test_reset_starts_again() -> None:
    """After a success the next wait is a short one."""
    backoff = Backoff(initial_seconds=0.5, maximum_seconds=3.0, uniform=upper)
    for _ in range(4):
        backoff.next_seconds()

    backoff.reset()

    assert backoff.attempts == 0
    assert backoff.next_seconds() == 0.5


@settings(deadline=None)
@given(
    initial=st.floats(0.001, 10),
    growth=st.floats(1, 1000),
    factor=st.floats(1, 10),
    attempts=st.integers(1, 2000),
)
def test_no_wait_leaves_its_bounds(
    initial: float, growth: float, factor: float, attempts: int
) -> None:
    """However often it fails, a wait is between zero and the maximum."""
    maximum = initial * growth
    backoff = Backoff(initial_seconds=initial, maximum_seconds=maximum, factor=factor)

    for _ in range(attempts):
        assert 0 <= backoff.next_seconds() <= maximum


@pytest.mark.parametrize(
    ("initial", "maximum", "factor"), [(0, 1, 2), (-1, 1, 2), (2, 1, 2), (1, 2, 0.5)]
)
def test_numbers_that_do_not_grow_are_refused(
    initial: float, maximum: float, factor: float
) -> None:
    """A backoff that could wait for nothing, or shrink, cannot be made."""
    with pytest.raises(ValueError, match=r"must not be below|initial <= maximum"):
        Backoff(initial_seconds=initial, maximum_seconds=maximum, factor=factor)
