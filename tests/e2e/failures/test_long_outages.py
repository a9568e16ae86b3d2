"""Outages that outlast leases and many attempts: whoever waits, waits for ever, and comes back."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway_contracts import SessionState, SessionStatus
from tests.e2e.failures.conftest import OpenStage
from tests.e2e.failures.links import FAULTS, POSTGRESQL, RABBITMQ, WHATSAPP
from tests.e2e.failures.stage import (
    ACCOUNTS,
    LiveWatch,
    Stage,
    complaints,
)
from tests.support.eventually import eventually
from tests.support.pacing import consistently

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPPED = FAULTS["stopped"]
STALLED = FAULTS["stalled"]
ATTEMPTS = 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_stage(stage_with: OpenStage) -> AsyncIterator[Stage]:
    """A stage whose worker has a short lease and tries again soon."""
    impatient = {
        "AMQP_RECONNECT_MAXIMUM_SECONDS": "0.2",
        "LEASE_SECONDS": "2",
        "SEND_TIMEOUT_SECONDS": "1.5",
    }
    async with stage_with(impatient) as stage:
        yield stage


async def test_postgresql_is_away_for_longer_than_the_lease(stage: Stage) -> None:
    """The worker ends its hosts, for another may own the sessions now, and starts them again."""
    traffic, since, log = stage.traffic("lapse"), stage.arrivals, stage.log_size
    worker = stage.gateway.worker
    async with LiveWatch(worker).watching():
        await traffic.once()
        async with traffic.flowing(), STOPPED(stage.links[POSTGRESQL]):
            await eventually(
                lambda: "lease.lapsed" in stage.counted(log), timeout_seconds=20, reason="lapsed"
            )
            await eventually(lambda: worker.hosts() == [], reason="no host runs")
            await stage.until_noticed(POSTGRESQL)
            await traffic.once()
        await stage.restored()
        await traffic.once()
        await stage.settled(traffic)
    stage.audit(traffic, since=since)
    said = [line for line in complaints(stage.log_lines(log)) if line["event"] != "lease.lapsed"]
    assert said == []


async def test_rabbitmq_is_away_for_many_attempts(stage: Stage) -> None:
    """Both connections are tried again and again, and work in the end."""
    traffic, since, log = stage.traffic("attempts"), stage.arrivals, stage.log_size
    async with LiveWatch(stage.gateway.worker).watching(), STOPPED(stage.links[RABBITMQ]):
        await traffic.once()
        await eventually(
            lambda: stage.counted(log)["broker.unreachable"] >= 2 * ATTEMPTS,
            timeout_seconds=40,
            reason="many attempts were made",
        )
    await stage.settled(traffic)
    await stage.restored()
    stage.audit(traffic, since=since)
    assert complaints(stage.log_lines(log)) == []


async def test_hosts_that_cannot_reach_whatsapp_are_started_again(stage: Stage) -> None:
    """At growing intervals that no two sessions share; commands wait for the connection."""
    traffic, since, log = stage.traffic("hosts"), stage.arrivals, stage.log_size
    async with LiveWatch(stage.gateway.worker).watching(), STOPPED(stage.links[WHATSAPP]):
        for host in stage.gateway.worker.hosts():
            host.kill()
        await eventually(
            lambda: all(len(_waits(stage, name, since)) >= 4 for name in ACCOUNTS.values()),
            timeout_seconds=40,
            reason="every host was started several times",
        )
    waits = [wait for name in ACCOUNTS.values() for wait in _waits(stage, name, since)]
    assert len({round(wait, 3) for wait in waits}) > len(waits) / 2, waits
    await stage.restored()
    await traffic.once()
    await stage.settled(traffic)
    stage.audit(traffic, since=since, may_fail=True)
    assert complaints(stage.log_lines(log)) == []


async def test_whatsapp_is_silent_for_longer_than_a_send_may_take(stage: Stage) -> None:
    """Every command ends in bounded time, at worst as uncertain, and no send is doubled."""
    traffic, since, log = stage.traffic("silent"), stage.arrivals, stage.log_size
    async with LiveWatch(stage.gateway.worker).watching():
        async with STALLED(stage.links[WHATSAPP]):
            await traffic.once()
            await consistently(stage.gateway.worker.is_ready, seconds=3)
        await stage.restored()
        await stage.settled(traffic)
        afterwards = stage.traffic("heard")
        await afterwards.once()
        await stage.settled(afterwards)
    stage.audit(traffic, since=since, may_fail=True)
    stage.audit(afterwards, since=since)
    assert complaints(stage.log_lines(log)) == []


def _waits(stage: Stage, session_id: str, since: int) -> list[float]:
    """Return the announced pauses before a session's next attempts, in seconds."""
    return [
        (one.event.data.retry_at - one.event.time).total_seconds()
        for one in stage.gateway.backend.arrivals[since:]
        if isinstance(one.event, SessionStatus)
        and one.event.subject == session_id
        and one.event.data.state is SessionState.RECONNECTING
        and one.event.data.retry_at is not None
    ]
