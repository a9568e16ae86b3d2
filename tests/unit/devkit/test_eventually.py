"""Waiting for a condition."""

import pytest

from tests.support.eventually import eventually


async def test_it_returns_the_first_true_value() -> None:
    """The value is what the caller wants to look at next."""
    values = iter([0, "", None, 7])

    assert await eventually(lambda: next(values)) == 7


async def test_a_probe_may_be_asynchronous_and_may_assert() -> None:
    """A failed assertion means not yet."""
    attempts = 0

    async def probe() -> str:
        nonlocal attempts
        attempts += 1
        assert attempts > 2
        return "done"

    assert await eventually(probe) == "done"


async def test_it_fails_with_the_last_value() -> None:
    """The message shows how far things got."""
    with pytest.raises(AssertionError, match=r"the queue is empty; last value: \[\]"):
        await eventually(list, timeout_seconds=0.02, reason="the queue is empty")


async def test_other_errors_are_raised_at_once() -> None:
    """A broken probe is not a condition to wait for."""

    def probe() -> bool:
        raise KeyError("queue")

    with pytest.raises(KeyError):
        await eventually(probe)
