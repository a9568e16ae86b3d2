"""Every shipped alert on a real Prometheus, by the figures of a worker that get bad."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway_contracts import StatusReason
from gateway_worker.counts import Counts
from gateway_worker.health import HealthSettings, HealthSidecar, Lifecycle
from gateway_worker.metrics import Metrics, make_metrics
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.runtime.service import running
from tests.support.eventually import eventually
from tests.support.prometheus import Prometheus, alerts, impatient, prometheus

WORKER_DOWN = "GatewayWorkerDown"


def _banned(metrics: Metrics) -> None:
    for _ in range(3):
        Counts(metrics=metrics).disconnected(StatusReason.TEMPORARY_BAN)


def _refused(metrics: Metrics) -> None:
    for _ in range(5):
        Counts(metrics=metrics).reachout_refused()


BAD: dict[str, Callable[[Metrics], object]] = {
    "GatewaySessionSilent": lambda metrics: metrics.silence_seconds.set(121),
    "GatewayFleetFull": lambda metrics: metrics.fleet_free_slots.set(0),
    "GatewaySessionsStranded": lambda metrics: metrics.fleet_stranded.set(1),
    "GatewayLeaseFlapping": lambda metrics: metrics.lease_lapses.inc(2),
    "GatewayOutboxOld": lambda metrics: metrics.outbox_age_seconds.set(61),
    "GatewayDeadLettersGrow": lambda metrics: metrics.queue_depth.labels("wa.commands.dead").set(9),
    "GatewayDatabasePoolExhausted": lambda metrics: metrics.database_used.set(10),
    "GatewayNewChatsRefused": _refused,
    "GatewayAccountsBanned": _banned,
    "GatewayBrokerBlocked": lambda metrics: metrics.broker_blocked.set(1),
    "GatewayClientOutdated": lambda metrics: Counts(metrics=metrics).disconnected(
        StatusReason.CLIENT_OUTDATED
    ),
    "GatewaySnapshotsBehind": lambda metrics: metrics.snapshots_behind_seconds.set(301),
    "GatewayTokenKeysUnread": lambda metrics: metrics.token_keys_unread_seconds.set(301),
    "GatewayBulkStuck": lambda metrics: metrics.bulk_stalled_seconds.set(601),
}
"""What makes each alert fire, by the numbers with which it is shipped."""


def test_every_alert_is_here() -> None:
    """One that is new has to be provoked, too."""
    assert {*BAD, WORKER_DOWN} == set(alerts())


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A worker's figures, and who looks at them."""

    metrics: Metrics
    prometheus: Prometheus
    stop: asyncio.Event

    async def seen(self) -> None:
        """Wait until what is told now has been looked at, and judged, twice."""
        before = await self.prometheus.scrapes()

        async def seen() -> bool:
            return await self.prometheus.scrapes() >= before + 3

        await eventually(seen, timeout_seconds=60, reason="it was looked at")

    async def fire(self, expected: set[str]) -> None:
        """Wait until these alerts fire, and no others."""

        async def firing() -> bool:
            assert await self.prometheus.firing() == expected
            return True

        await eventually(firing, timeout_seconds=60, reason=f"{sorted(expected)} fire")


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[Watched]:
    """Serve the figures of a worker that is well, and have a Prometheus look at them."""
    clock = SystemClock()
    metrics = make_metrics(versions={"worker": "1.2.3"})
    metrics.fleet_free_slots.set(3)
    metrics.database_limit.set(10)
    metrics.queue_depth.labels("wa.commands.dead").set(0)
    sidecar = HealthSidecar(
        settings=HealthSettings(port=0),
        worker_id="w-0",
        metrics=metrics,
        lifecycle=Lifecycle(clock=clock),
        clock=clock,
    )
    sidecar.bind()
    served, over = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with running(sidecar, worker_stop=asyncio.Event(), grace_seconds=10, name="health"):
            served.set()
            await over.wait()

    serving = asyncio.create_task(serve())
    try:
        await served.wait()
        target = f"127.0.0.1:{sidecar.port}"
        async with prometheus(directory, targets=[target], rules=impatient()) as looking:
            yield Watched(metrics=metrics, prometheus=looking, stop=over)
    finally:
        over.set()
        await serving


@pytest.mark.timeout(600)
async def test_every_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    """One after the other, on one Prometheus: nothing fires of a worker that is well."""
    async with watched(tmp_path / "prometheus") as worker:
        await worker.seen()
        await worker.fire(set())
        expected = set[str]()
        for name, get_bad in BAD.items():
            get_bad(worker.metrics)
            expected.add(name)
            await worker.fire(expected)
        worker.stop.set()
        await worker.prometheus.fires(WORKER_DOWN)
