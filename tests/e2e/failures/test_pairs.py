"""Two dependencies fail at once, or all of them, and come back one after the other."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.e2e.failures.harness import FailureHarness, LiveWatch, complaints
from tests.e2e.failures.links import (
    DEPENDENCIES,
    FAULTS,
    POSTGRESQL,
    RABBITMQ,
    REDIS,
    S3,
    WHATSAPP,
)
from tests.support.pacing import pace

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTAGE_SECONDS = 1.0
BETWEEN_SECONDS = 0.5

PAIRS = (
    (RABBITMQ, POSTGRESQL),
    (RABBITMQ, WHATSAPP),
    (RABBITMQ, REDIS),
    (POSTGRESQL, WHATSAPP),
    (POSTGRESQL, S3),
    (POSTGRESQL, REDIS),
    (REDIS, S3),
    (S3, WHATSAPP),
)


CASES = [
    *(("stopped", pair) for both in PAIRS for pair in (both, both[::-1])),
    *(("vanished", pair) for pair in PAIRS),
]


@pytest.mark.parametrize(
    ("fault", "back"), CASES, ids=[f"{fault}-{' then '.join(back)}" for fault, back in CASES]
)
async def test_two_fail_and_come_back(
    harness: FailureHarness, back: tuple[str, str], fault: str
) -> None:
    """Whichever comes back first: nothing is lost, doubled or out of order."""
    await _fail(harness, back, fault)


@pytest.mark.parametrize("fault", ["stopped", "vanished", "slow"])
async def test_all_fail_and_come_back(harness: FailureHarness, fault: str) -> None:
    """As when the machine's network fails."""
    await _fail(harness, DEPENDENCIES, fault)


async def _fail(harness: FailureHarness, back: Sequence[str], fault: str) -> None:
    """Let dependencies fail together, and come back in this order, under traffic."""
    traffic = harness.traffic(f"{' '.join(back)} {fault}")
    since, log = harness.arrivals, harness.log_size
    async with LiveWatch(harness.gateway.worker).watching():
        await traffic.once()
        async with traffic.flowing(), AsyncExitStack() as faults:
            for dependency in reversed(back):
                faults.push_async_callback(pace, BETWEEN_SECONDS)
                await faults.enter_async_context(FAULTS[fault](harness.links[dependency]))
            await pace(OUTAGE_SECONDS)
            if fault == "stopped":
                await harness.until_noticed(*(name for name in back if name != WHATSAPP))
        await traffic.once()
        await harness.settled(traffic)
        await harness.restored()
    # An acknowledgement that WhatsApp could not deliver in time leaves a send uncertain.
    harness.audit(traffic, since=since, may_fail=WHATSAPP in back)
    assert complaints(harness.log_lines(log)) == []
