"""What the worker does while one dependency is away, as an operator and a backend can see it."""

from pathlib import Path

import pytest

from gateway_contracts import MessageReceived, SessionState, SessionStatus, StatusReason
from gateway_worker.sandbox.service.faults import ALWAYS, Faults
from tests.e2e.failures.audit import unsettled
from tests.e2e.failures.harness import ACCOUNTS, FailureHarness
from tests.e2e.failures.links import (
    FAULTS,
    POSTGRESQL,
    RABBITMQ,
    REDIS,
    S3,
    WHATSAPP,
)
from tests.support.eventually import eventually
from tests.support.pacing import consistently
from tests.support.traces import object_versions, route

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPPED = FAULTS["stopped"]


async def test_without_rabbitmq_the_outbox_grows(harness: FailureHarness) -> None:
    """Arrivals are committed and wait, in order, until the broker is back."""
    traffic, since = harness.traffic("outbox"), harness.arrivals
    # Of this moment on, for earlier events may be published and not yet noted as such.
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND type = $1 AND id > $2"
    async with STOPPED(harness.links[RABBITMQ]):
        await harness.until_noticed(RABBITMQ)
        before = await harness.sql("SELECT max(id) FROM outbox")
        for _ in range(3):
            await traffic.answer()

        async def grown() -> bool:
            found = await harness.sql(waiting, "wa.message.received.v1", before)
            return bool(found == 3 * len(ACCOUNTS))

        await eventually(grown, reason="the arrivals wait in the outbox")
        assert _received(harness, since) == 0
    await harness.settled(traffic)
    harness.audit(traffic, since=since)


async def test_without_postgresql_arrivals_wait_on_the_disk_and_commands_are_not_begun(
    harness: FailureHarness,
) -> None:
    """The intake pauses, the spools fill, and WhatsApp has its acknowledgements all the same."""
    traffic, since = harness.traffic("spool"), harness.arrivals
    async with STOPPED(harness.links[POSTGRESQL]):
        await harness.until_noticed(POSTGRESQL)
        before = _spooled(harness)
        await traffic.once()
        await eventually(lambda: _spooled(harness) > before, reason="the arrivals are on the disk")
        assert _received(harness, since) == 0
        waiting = unsettled(harness.gateway.backend, harness.customer, traffic.book)
        assert waiting == [*traffic.book.outbound, *traffic.book.inbound]
    await harness.settled(traffic)
    harness.audit(traffic, since=since)


async def test_without_redis_everything_works_and_the_table_is_late(
    harness: FailureHarness,
) -> None:
    """Commands and arrivals do not wait for Redis; what the table missed is written afterwards."""
    traffic, since = harness.traffic("table"), harness.arrivals
    gateway = harness.gateway
    async with STOPPED(harness.links[REDIS]):
        await harness.until_noticed(REDIS)
        await traffic.once()
        await harness.settled(traffic)
        after = harness.arrivals
        gateway.sandbox.connections.drop(next(iter(ACCOUNTS)))
        await gateway.until("shop", SessionState.RECONNECTING, after=after)
        await gateway.until("shop", SessionState.CONNECTED, after=after)
        await harness.forget_route("shop")  # as a Redis that lost its memory

    async def written() -> bool:
        found = await route(harness.environment, "shop")
        return found.get("state") == SessionState.CONNECTED

    await eventually(written, timeout_seconds=30, reason="the table is right again")
    harness.audit(traffic, since=since)


async def test_without_s3_snapshots_wait(harness: FailureHarness) -> None:
    """Messages flow meanwhile; the store that they have changed is copied when S3 is back."""
    traffic, since = harness.traffic("copies"), harness.arrivals
    async with STOPPED(harness.links[S3]):
        await harness.until_noticed(S3)
        before = await object_versions(harness.environment, "shop")
        await traffic.once()
        await harness.settled(traffic)

        async def is_as_before() -> bool:
            return await object_versions(harness.environment, "shop") == before

        await consistently(is_as_before, seconds=1)

    async def copied() -> bool:
        return await object_versions(harness.environment, "shop") != before

    await eventually(copied, timeout_seconds=40, reason="the device store was copied")
    harness.audit(traffic, since=since)


async def test_without_whatsapp_the_status_says_so(harness: FailureHarness) -> None:
    """Both sessions are reconnecting, the worker stays ready; commands wait and then succeed."""
    traffic, since = harness.traffic("status"), harness.arrivals
    gateway = harness.gateway
    async with STOPPED(harness.links[WHATSAPP]):
        for session_id in ACCOUNTS.values():
            lost = await gateway.until(session_id, SessionState.RECONNECTING, after=since)
            assert lost.data.reason is StatusReason.CONNECTION_LOST
        await traffic.once()
        assert await gateway.worker.is_ready()
        states = (await gateway.worker.health())["sessions"]["by_state"]
        assert states[SessionState.RECONNECTING] == len(ACCOUNTS), states
    await harness.settled(traffic)
    for session_id in ACCOUNTS.values():
        await gateway.until(session_id, SessionState.CONNECTED, after=since)
    harness.audit(traffic, since=since, may_fail=True)


async def test_status_events_alternate_over_many_losses(harness: FailureHarness) -> None:
    """Every loss of a connection is told once, and so is every return."""
    since, gateway = harness.arrivals, harness.gateway
    number, session_id = next(iter(ACCOUNTS.items()))
    for _ in range(3):
        after = harness.arrivals
        gateway.sandbox.connections.drop(number)
        await gateway.until(session_id, SessionState.RECONNECTING, after=after)
        await gateway.until(session_id, SessionState.CONNECTED, after=after)
    states = [
        one.event.data.state
        for one in gateway.backend.arrivals[since:]
        if isinstance(one.event, SessionStatus) and one.event.subject == session_id
    ]
    assert states == 3 * [SessionState.RECONNECTING, SessionState.CONNECTED]


async def test_a_connection_that_is_lost_while_it_is_made_is_no_connection(
    harness: FailureHarness,
) -> None:
    """The library tells of the loss first and of the login afterwards; commands must wait."""
    traffic, gateway = harness.traffic("half"), harness.gateway
    number, session_id = next(iter(ACCOUNTS.items()))
    faults, connections = gateway.sandbox.faults, gateway.sandbox.connections
    since = harness.arrivals
    faults.set(number, Faults(no_response=ALWAYS))  # logged in, but not through with what follows
    logins = connections.links(number)[0].logins
    connections.drop(number)
    await eventually(
        lambda: (link := connections.links(number)[0]).online and link.logins > logins,
        timeout_seconds=30,
        reason="the library has logged in again",
    )
    async with STOPPED(harness.links[WHATSAPP]):
        faults.clear(number)
        await traffic.once()

        def states() -> list[SessionState]:
            return [
                one.event.data.state
                for one in gateway.backend.arrivals[since:]
                if isinstance(one.event, SessionStatus) and one.event.subject == session_id
            ]

        await eventually(states)
        # the library waits 5 s for what followed the login
        await consistently(lambda: states() == [SessionState.RECONNECTING], seconds=6)
    await harness.settled(traffic)
    harness.audit(traffic, since=since, may_fail=True)


def _received(harness: FailureHarness, since: int) -> int:
    """Return how many messages have been announced since that arrival."""
    return sum(
        isinstance(one.event, MessageReceived) for one in harness.gateway.backend.arrivals[since:]
    )


def _spooled(harness: FailureHarness) -> int:
    """Return how many bytes the spools hold."""
    spools: list[Path] = list(harness.gateway.worker.data_dir.glob("sessions/*/spool-*"))
    return sum(path.stat().st_size for path in spools)
