"""The watchdog of the event loop."""

import asyncio
import threading

import pytest

from gateway_worker.health import watchdog as module
from gateway_worker.health.watchdog import LoopWatchdog
from gateway_worker.runtime.clock import SystemClock
from tests.support.eventually import eventually, eventually_blocking


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take turns more often than in production."""
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.01)


async def test_a_loop_that_turns_is_not_stuck() -> None:
    """Every turn is noted with how late it was."""
    lags: list[float] = []
    watchdog = LoopWatchdog(stuck_seconds=30, clock=SystemClock(), observe=lags.append)
    stop = asyncio.Event()
    task = asyncio.create_task(watchdog.run(stop))

    await eventually(lambda: len(lags) >= 3)
    stop.set()
    await task

    assert not watchdog.is_stuck
    assert all(lag >= 0 for lag in lags)


async def test_a_blocked_loop_is_seen_from_another_thread() -> None:
    """While the loop cannot turn, another thread sees that, and where it hangs."""
    seen: list[str] = []
    watchdog = LoopWatchdog(stuck_seconds=0.1, clock=SystemClock(), observe=lambda _lag: None)
    stop = asyncio.Event()
    task = asyncio.create_task(watchdog.run(stop))
    await asyncio.sleep(0)

    def look() -> None:
        eventually_blocking(lambda: watchdog.is_stuck, timeout_seconds=30)
        seen.append(watchdog.stack())

    thread = threading.Thread(target=look)
    thread.start()
    block_the_loop(thread)
    was_stuck = watchdog.is_stuck
    await eventually(lambda: not watchdog.is_stuck)
    stop.set()
    await task

    assert was_stuck
    assert "block_the_loop" in seen[0]


def block_the_loop(until: threading.Thread) -> None:
    """Do what nobody should on an event loop."""
    until.join()
