"""The disk with the sessions' directories takes nothing more for a while."""

import pytest

from tests.e2e.failures.harness import FailureHarness, LiveWatch, complaints
from tests.support.disks import full_disk
from tests.support.eventually import eventually
from tests.support.pacing import pace

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_nothing_is_lost_on_a_full_disk(harness: FailureHarness) -> None:
    """What cannot be stored stays at WhatsApp, and what cannot be sent waits."""
    traffic, since, log = harness.traffic("full"), harness.arrivals, harness.log_size
    worker = harness.gateway.worker
    async with LiveWatch(worker).watching():
        await traffic.once()
        await harness.settled(traffic)
        async with traffic.flowing():
            with full_disk(lambda: (*worker.zygotes(), *worker.hosts())):
                await eventually(
                    lambda: harness.counted(log)["session.host_exited"] >= 2,
                    timeout_seconds=30,
                    reason="hosts leave",
                )
                await pace(1)
        await harness.restored()
        await traffic.once()
        await harness.settled(traffic)
    harness.audit(traffic, since=since)
    assert complaints(harness.log_lines(log)) == []
