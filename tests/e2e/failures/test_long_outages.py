"""Outages that outlast leases and many attempts: whoever waits, waits for ever, and comes back."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway_contracts import SessionState, SessionStatus
from tests.e2e.failures.conftest import OpenHarness
from tests.e2e.failures.harness import (
    ACCOUNTS,
    FailureHarness,
    LiveWatch,
    complaints,
)
from tests.e2e.failures.links import FAULTS, POSTGRESQL, RABBITMQ, WHATSAPP
from tests.support.eventually import eventually
from tests.support.pacing import consistently

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPPED = FAULTS["stopped"]
STALLED = FAULTS["stalled"]
ATTEMPTS = 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_harness(harness_with: OpenHarness) -> AsyncIterator[FailureHarness]:
    """A harness whose worker has a short lease and tries again soon."""
    impatient = {
        "AMQP_RECONNECT_MAXIMUM_SECONDS": "0.2",
        "LEASE_SECONDS": "2",
        "SEND_TIMEOUT_SECONDS": "1.5",
    }
    async with harness_with(impatient) as harness:
        yield harness


async def test_postgresql_is_away_for_longer_than_the_lease(harness: FailureHarness) -> None:
    """The worker ends its hosts, for another may own the sessions now, and starts them again."""
    traffic, since, log = harness.traffic("lapse"), harness.arrivals, harness.log_size
    worker = harness.gateway.worker
    async with LiveWatch(worker).watching():
        await traffic.once()
        async with traffic.flowing(), STOPPED(harness.links[POSTGRESQL]):
            await eventually(
                lambda: "lease.lapsed" in harness.counted(log), timeout_seconds=30, reason="lapsed"
            )
            await eventually(lambda: worker.hosts() == [], reason="no host runs")
            await harness.until_noticed(POSTGRESQL)
            await traffic.once()
        await harness.restored()
        await traffic.once()
        await harness.settled(traffic)
    harness.audit(traffic, since=since)
    said = [line for line in complaints(harness.log_lines(log)) if line["event"] != "lease.lapsed"]
    assert said == []


async def test_rabbitmq_is_away_for_many_attempts(harness: FailureHarness) -> None:
    """Both connections are tried again and again, and work in the end."""
    traffic, since, log = harness.traffic("attempts"), harness.arrivals, harness.log_size
    async with LiveWatch(harness.gateway.worker).watching(), STOPPED(harness.links[RABBITMQ]):
        await traffic.once()
        await eventually(
            lambda: harness.counted(log)["broker.unreachable"] >= 2 * ATTEMPTS,
            timeout_seconds=40,
            reason="many attempts were made",
        )
    await harness.settled(traffic)
    await harness.restored()
    harness.audit(traffic, since=since)
    assert complaints(harness.log_lines(log)) == []


async def test_hosts_that_cannot_reach_whatsapp_are_started_again(harness: FailureHarness) -> None:
    """At growing intervals that no two sessions share; commands wait for the connection."""
    traffic, since, log = harness.traffic("hosts"), harness.arrivals, harness.log_size
    async with LiveWatch(harness.gateway.worker).watching(), STOPPED(harness.links[WHATSAPP]):
        for host in harness.gateway.worker.hosts():
            host.kill()
        await eventually(
            lambda: all(len(_waits(harness, name, since)) >= 4 for name in ACCOUNTS.values()),
            timeout_seconds=40,
            reason="every host was started several times",
        )
    waits = [wait for name in ACCOUNTS.values() for wait in _waits(harness, name, since)]
    assert len({round(wait, 3) for wait in waits}) > len(waits) / 2, waits
    await harness.restored()
    await traffic.once()
    await harness.settled(traffic)
    harness.audit(traffic, since=since, may_fail=True)
    assert complaints(harness.log_lines(log)) == []


async def test_whatsapp_is_silent_for_longer_than_a_send_may_take(harness: FailureHarness) -> None:
    """Every command ends in bounded time, at worst as uncertain, and no send is doubled."""
    traffic, since, log = harness.traffic("silent"), harness.arrivals, harness.log_size
    async with LiveWatch(harness.gateway.worker).watching():
        async with STALLED(harness.links[WHATSAPP]):
            await traffic.once()
            await consistently(harness.gateway.worker.is_ready, seconds=3)
        await harness.restored()
        await harness.settled(traffic)
        afterwards = harness.traffic("heard")
        await afterwards.once()
        await harness.settled(afterwards)
    harness.audit(traffic, since=since, may_fail=True)
    harness.audit(afterwards, since=since)
    assert complaints(harness.log_lines(log)) == []


def _waits(harness: FailureHarness, session_id: str, since: int) -> list[float]:
    """Return the announced pauses before a session's next attempts, in seconds."""
    return [
        (one.event.data.retry_at - one.event.time).total_seconds()
        for one in harness.gateway.backend.arrivals[since:]
        if isinstance(one.event, SessionStatus)
        and one.event.subject == session_id
        and one.event.data.state is SessionState.RECONNECTING
        and one.event.data.retry_at is not None
    ]
