"""Two dependencies fail at once, or all of them, and come back one after the other."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.e2e.failures.links import (
    DEPENDENCIES,
    FAULTS,
    POSTGRESQL,
    RABBITMQ,
    REDIS,
    S3,
    WHATSAPP,
)
from tests.e2e.failures.stage import LiveWatch, Stage, complaints
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
async def test_two_fail_and_come_back(stage: Stage, back: tuple[str, str], fault: str) -> None:
    """Whichever comes back first: nothing is lost, doubled or out of order."""
    await _fail(stage, back, fault)


@pytest.mark.parametrize("fault", ["stopped", "vanished", "slow"])
async def test_all_fail_and_come_back(stage: Stage, fault: str) -> None:
    """As when the machine's network fails."""
    await _fail(stage, DEPENDENCIES, fault)


async def _fail(stage: Stage, back: Sequence[str], fault: str) -> None:
    """Let dependencies fail together, and come back in this order, under traffic."""
    traffic = stage.traffic(f"{' '.join(back)} {fault}")
    since, log = stage.arrivals, stage.log_size
    async with LiveWatch(stage.gateway.worker).watching():
        await traffic.once()
        async with traffic.flowing(), AsyncExitStack() as faults:
            for dependency in reversed(back):
                faults.push_async_callback(pace, BETWEEN_SECONDS)
                await faults.enter_async_context(FAULTS[fault](stage.links[dependency]))
            await pace(OUTAGE_SECONDS)
            if fault == "stopped":
                await stage.until_noticed(*(name for name in back if name != WHATSAPP))
        await traffic.once()
        await stage.settled(traffic)
        await stage.restored()
    # An acknowledgement that WhatsApp could not deliver in time leaves a send uncertain.
    stage.audit(traffic, since=since, may_fail=WHATSAPP in back)
    assert complaints(stage.log_lines(log)) == []
