"""Rates and latencies of the last minute."""

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.health.performance import Performance, quantile
from gateway_worker.metrics import make_metrics
from tests.support.clocks import ManualClock

BOUNDS = [0.005, 0.01, 0.1, 1.0, float("inf")]


def cumulative(values: list[float]) -> dict[float, float]:
    """Sort values into buckets as a histogram does."""
    return {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS}


@settings(deadline=None)
@given(st.lists(st.floats(0.0001, 0.999), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_real_one(
    values: list[float], fraction: float
) -> None:
    """The estimate is never further off than the width of a bucket."""
    rank = max(1, -(-len(values) * fraction // 1))
    real = sorted(values)[min(len(values), int(rank)) - 1]

    estimate = quantile(cumulative(values), fraction)

    upper = next(bound for bound in BOUNDS if real <= bound)
    lower = max((bound for bound in [0.0, *BOUNDS] if bound < real), default=0.0)
    assert estimate is not None
    assert lower <= estimate <= upper * 1.0001


def test_no_values_have_no_quantile() -> None:
    """Nothing is not zero."""
    assert quantile({}, 0.5) is None
    assert quantile(cumulative([]), 0.5) is None


def test_what_is_above_all_bounds_is_given_as_the_last() -> None:
    """The histogram knows no more than that."""
    assert quantile(cumulative([50.0]), 0.99) == 1.0


async def test_the_summary_covers_what_happened_since_the_oldest_sample() -> None:
    """Rates and quantiles leave out what was before."""
    metrics = make_metrics(versions={})
    clock = ManualClock()
    performance = Performance(metrics=metrics, clock=clock)
    metrics.observe_command("wa.message.send.v1", "succeeded", 60.0)
    sampling = asyncio.create_task(performance.run())
    await asyncio.sleep(0)  # takes the first sample

    for _ in range(20):
        metrics.observe_command("wa.message.send.v1", "succeeded", 0.012)
        metrics.count_event("wa.command.succeeded.v1")
    metrics.outbox_depth.set(4)
    clock.seconds = 10.0
    summary = performance.summary()
    sampling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sampling

    assert summary["window_seconds"] == 10.0
    assert summary["commands_per_second"] == 2.0
    assert summary["events_per_second"] == 2.0
    assert summary["inbound_messages_per_second"] == 0
    assert summary["outbox_depth"] == 4
    assert set(summary["commands"]) == {"message.send"}
    assert summary["commands"]["message.send"]["count"] == 20
    assert 10 <= summary["commands"]["message.send"]["p99_ms"] <= 20


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_summary_without_samples_is_empty(seconds: float) -> None:
    """Right after the start there are no rates, and no division by zero."""
    clock = ManualClock()
    performance = Performance(metrics=make_metrics(versions={}), clock=clock)
    clock.seconds = seconds

    assert performance.summary()["commands"] == {}
    assert performance.summary()["commands_per_second"] == 0
