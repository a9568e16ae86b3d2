"""Rates and latencies of the last minute, taken from the metrics, for a person in a hurry."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

from gateway_worker.metrics import Metrics
from gateway_worker.runtime.clock import Clock

SAMPLE_SECONDS: Final = 15.0
"""Reading what there is of all types of commands takes some five milliseconds."""
WINDOW_SAMPLES: Final = 5
"""Four intervals: one minute."""

QUANTILES: Final = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}

Buckets = Mapping[float, float]
"""Upper bound in seconds → how many took at most that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The totals at one moment (monotonic seconds)."""

    at: float
    commands: float
    events: float
    inbound: float
    durations: Mapping[str, Buckets]


class Performance:
    """Keeps samples of the metrics and compares the newest with the oldest.

    Args:
        metrics: Read, never written. Reading is thread-safe.
        clock: For the times of the samples.
    """

    def __init__(self, *, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=WINDOW_SAMPLES)

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            self._samples.append(self._take())
            await asyncio.sleep(SAMPLE_SECONDS)

    def summary(self) -> dict[str, Any]:
        """Return the figures of the last minute (or since the start, if that is shorter)."""
        now = self._take()
        before = self._samples[0] if self._samples else now
        seconds = max(1e-9, now.at - before.at)
        metrics = self._metrics
        return {
            "window_seconds": round(now.at - before.at, 1),
            "commands_per_second": round((now.commands - before.commands) / seconds, 2),
            "events_per_second": round((now.events - before.events) / seconds, 2),
            "inbound_messages_per_second": round((now.inbound - before.inbound) / seconds, 2),
            "commands": _latencies(before.durations, now.durations),
            "commands_waiting": int(_read(metrics.commands_waiting)),
            "outbox_depth": int(_read(metrics.outbox_depth)),
        }

    def _take(self) -> Sample:
        metrics = self._metrics
        return Sample(
            at=self._clock.monotonic(),
            commands=_total(metrics.commands),
            events=_total(metrics.events),
            inbound=_total(metrics.inbound_messages),
            durations=_buckets(metrics.command_seconds),
        )


def quantile(buckets: Buckets, fraction: float) -> float | None:
    """Estimate a quantile in seconds, evenly within a bucket; None if there is nothing.

    What lies above the last finite bound is given as that bound.
    """
    bounds = sorted(buckets)
    count = buckets[bounds[-1]] if bounds else 0.0
    if count <= 0:
        return None
    rank, lower, below = fraction * count, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return lower
            inside = buckets[bound] - below
            return lower + (bound - lower) * ((rank - below) / inside if inside else 1.0)
        lower, below = bound, buckets[bound]
    return lower


def _latencies(
    before: Mapping[str, Buckets], now: Mapping[str, Buckets]
) -> dict[str, dict[str, float]]:
    """Return count and quantiles of each type of command that came in between."""
    result = {}
    for kind, buckets in now.items():
        earlier = before.get(kind, {})
        recent = {bound: count - earlier.get(bound, 0.0) for bound, count in buckets.items()}
        count = max(recent.values(), default=0.0)
        if count > 0:
            result[kind] = {"count": count} | {
                name: round(1000 * (quantile(recent, fraction) or 0.0), 1)
                for name, fraction in QUANTILES.items()
            }
    return result


def _samples_of(instrument: Counter | Gauge | Histogram) -> Sequence[Any]:
    return [sample for family in instrument.collect() for sample in family.samples]


def _total(counter: Counter) -> float:
    return float(sum(s.value for s in _samples_of(counter) if s.name.endswith("_total")))


def _read(gauge: Gauge) -> float:
    return float(sum(sample.value for sample in _samples_of(gauge)))


def _buckets(histogram: Histogram) -> dict[str, dict[float, float]]:
    result: dict[str, dict[float, float]] = {}
    for sample in _samples_of(histogram):
        if sample.name.endswith("_bucket"):
            bound = float(sample.labels["le"])
            result.setdefault(sample.labels["type"], {})[bound] = sample.value
    return result
