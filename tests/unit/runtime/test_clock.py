"""The system's clock."""

from datetime import UTC

from gateway_worker.runtime.clock import Clock, SystemClock


def test_the_system_clock_is_aware_and_monotonic() -> None:
    """Wall time is aware UTC; durations never run backwards."""
    clock: Clock = SystemClock()
    first, second = clock.monotonic(), clock.monotonic()

    assert clock.now().tzinfo is UTC
    assert first <= second
