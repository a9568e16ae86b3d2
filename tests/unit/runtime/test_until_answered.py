"""Calls that are repeated for as long as a service is away."""

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
