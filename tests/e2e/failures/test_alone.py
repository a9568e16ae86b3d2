"""Each dependency fails alone, in every way, while messages go both ways through two sessions."""

import pytest

from tests.e2e.failures.harness import FailureHarness, LiveWatch, complaints
from tests.e2e.failures.links import (
    ABSENT,
    CUTS,
    DEPENDENCIES,
    FAULTS,
    HARMLESS,
    WHATSAPP,
)
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.proxy import Direction

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTAGE_SECONDS = 1.5


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("dependency", DEPENDENCIES)
async def test_a_dependency_fails(harness: FailureHarness, dependency: str, fault: str) -> None:
    """Nothing is lost, doubled or out of order, and the probes tell what is away."""
    traffic, since, log = (
        harness.traffic(f"{dependency} {fault}"),
        harness.arrivals,
        harness.log_size,
    )
    async with LiveWatch(harness.gateway.worker).watching():
        await traffic.once()
        async with traffic.flowing(), FAULTS[fault](harness.links[dependency]):
            await pace(OUTAGE_SECONDS)
            if fault in ABSENT and dependency != WHATSAPP:
                await harness.until_noticed(dependency)
            if fault in HARMLESS:
                await eventually(
                    harness.gateway.worker.is_ready, timeout_seconds=30, reason="ready while slow"
                )
        await traffic.once()
        await harness.settled(traffic)
        await harness.restored()
    # An acknowledgement that WhatsApp could not deliver in time leaves a send uncertain.
    harness.audit(traffic, since=since, may_fail=dependency == WHATSAPP)
    assert complaints(harness.log_lines(log)) == []


@pytest.mark.parametrize(
    ("direction", "size_bytes"), CUTS, ids=[f"{way.value}-{size}" for way, size in CUTS]
)
@pytest.mark.parametrize("dependency", DEPENDENCIES)
async def test_a_connection_is_cut_in_mid_frame(
    harness: FailureHarness, dependency: str, direction: Direction, size_bytes: int
) -> None:
    """The rest of a frame never comes, or what answers it: three times in a row."""
    label = f"{dependency} cut {direction.value} {size_bytes}"
    traffic, since, log = harness.traffic(label), harness.arrivals, harness.log_size
    link = harness.links[dependency]
    async with LiveWatch(harness.gateway.worker).watching():
        async with traffic.flowing():
            for _ in range(3):
                link.cut_after(size_bytes, direction)
                await eventually(
                    lambda: not link.is_armed, timeout_seconds=30, reason="a frame was cut"
                )
        await harness.settled(traffic)
        await harness.restored()
    # An acknowledgement that WhatsApp could not deliver in time leaves a send uncertain.
    harness.audit(traffic, since=since, may_fail=dependency == WHATSAPP)
    assert complaints(harness.log_lines(log)) == []
