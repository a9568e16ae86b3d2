"""WhatsApp is unavailable for longer than a session's process waits for it, and comes back."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway_contracts import SessionState, SessionStatus, StatusReason
from tests.e2e.failures.conftest import OpenHarness
from tests.e2e.failures.harness import (
    ACCOUNTS,
    FailureHarness,
    LiveWatch,
    complaints,
)
from tests.e2e.failures.links import FAULTS, WHATSAPP
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESTARTS = re.compile(rb"^\w*host_restarts_total (\S+)$", re.MULTILINE)


@pytest_asyncio.fixture(loop_scope="module")
async def harness(harness_with: OpenHarness) -> AsyncIterator[FailureHarness]:
    """A harness whose hosts wait for one second."""
    async with harness_with({"HOST_UNREACHABLE_SECONDS": "1"}) as harness:
        yield harness


async def test_hosts_without_a_connection_are_replaced(harness: FailureHarness) -> None:
    """Their sessions are reconnecting all the while, none has crashed, and all come back."""
    traffic, since, log = harness.traffic("unreachable"), harness.arrivals, harness.log_size
    worker = harness.gateway.worker
    before = {host.pid for host in worker.hosts()}
    async with LiveWatch(worker).watching():
        await traffic.once()
        await harness.settled(traffic)
        async with FAULTS["stopped"](harness.links[WHATSAPP]):
            await eventually(
                lambda: not before & {host.pid for host in worker.hosts()},
                timeout_seconds=30,
                reason="every host has left",
            )
            assert await worker.is_ready()
        await harness.restored()
        await traffic.once()
        await harness.settled(traffic)
    for session_id in ACCOUNTS.values():
        told = [
            (one.event.data.state, one.event.data.reason)
            for one in harness.gateway.backend.arrivals[since:]
            if isinstance(one.event, SessionStatus) and one.event.subject == session_id
        ]
        assert told[0] == (SessionState.RECONNECTING, StatusReason.CONNECTION_LOST)
        assert told[-1] == (SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED)
        assert set(told[1:-1]) == {(SessionState.RECONNECTING, StatusReason.PROXY_UNREACHABLE)}
    _, metrics = await worker.probe("/metrics")
    restarts = RESTARTS.search(metrics)
    assert restarts is not None
    assert restarts[1] == b"0.0"
    left = [line for line in harness.log_lines(log) if line["event"] == "session.host_exited"]
    assert left
    assert all(line["expected"] for line in left)
    harness.audit(traffic, since=since)
    assert complaints(harness.log_lines(log)) == []
