"""Calls that are repeated for as long as a service is unavailable."""

import pytest

from gateway_worker.errors import CapacityError, DependencyError
from gateway_worker.runtime.retry import until_answered


async def test_a_call_is_repeated_until_there_is_an_answer() -> None:
    """Which is returned."""
    calls = 0

    async def ask() -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise DependencyError("away")
        return calls

    assert await until_answered(ask, name="test") == 3


async def test_after_its_time_a_call_is_not_repeated_any_more() -> None:
    """What it failed with last says why; there is one attempt in any case."""
    calls = 0

    async def ask() -> None:
        nonlocal calls
        calls += 1
        raise DependencyError(f"away {calls}")

    with pytest.raises(DependencyError, match="away 1"):
        await until_answered(ask, name="test", within_seconds=0)
    with pytest.raises(DependencyError):
        await until_answered(ask, name="test", within_seconds=0.5)
    assert calls > 2


@pytest.mark.parametrize("error", [CapacityError("full"), ValueError("ours")])
async def test_an_answer_that_is_an_error_is_an_answer(error: Exception) -> None:
    """Only a service that is away is worth a repetition."""
    calls = 0

    async def ask() -> None:
        nonlocal calls
        calls += 1
        raise error

    with pytest.raises(type(error)):
        await until_answered(ask, name="test")
    assert calls == 1
