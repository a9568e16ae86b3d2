"""When a command that has failed is not tried again."""

import pytest

from gateway_worker.commands.attempts import RetryPolicy
from gateway_worker.errors import (
    DependencyError,
    RetryableError,
    StaleKeysError,
    UpstreamTimeoutError,
)

POLICY = RetryPolicy(attempts=5, total_seconds=30)


@pytest.mark.parametrize(
    ("error", "attempts", "seconds", "is_over"),
    [
        (UpstreamTimeoutError(), 4, 29.0, False),
        (UpstreamTimeoutError(), 5, 0.0, True),
        (UpstreamTimeoutError(), 1, 30.0, True),
        (StaleKeysError(attempts=2), 1, 0.0, False),
        (StaleKeysError(attempts=2), 2, 0.0, True),
        (UpstreamTimeoutError(attempts=9), 5, 0.0, True),
        (DependencyError(), 50, 29.0, False),
        (DependencyError(), 1, 30.0, True),
        (DependencyError(attempts=3), 2, 0.0, False),
        (DependencyError(attempts=3), 3, 0.0, True),
    ],
)
def test_the_end_of_patience(
    error: RetryableError, attempts: int, seconds: float, *, is_over: bool
) -> None:
    """By count, by time, or sooner if the error says so."""
    assert POLICY.is_over(error, attempts=attempts, seconds=seconds) is is_over
