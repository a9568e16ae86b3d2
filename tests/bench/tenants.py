"""What one tenant notices of another one's flood, where each has its share of a worker.

Two tenants with a session each. One sends texts at a steady pace, alone and while the other one
sends hundreds at once, several times in turn: what the machine does meanwhile is in both.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway_contracts import MessageSend, MessageSendData, TextToSend
from tests.bench.harness import (
    BenchHarness,
    Outcomes,
    create_sessions,
    link_sessions,
    open_harness,
)
from tests.bench.media_tools import percentiles

SESSIONS: Final = ("acme.a", "mallory.a")
CUSTOMERS: Final = ("12025570000", "12025570001")
"""To whom each of them writes: neither is to have the other one's messages."""
QUIET, FLOODING = 0, 1
FLOOD: Final = 300
"""Twice as much as a worker is handed out at a time."""
FLOOD_PER_SECOND: Final = 20
PER_SECOND: Final = 10.0
ALONE_SECONDS: Final = 15.0
ROUNDS: Final = 3
WORSE: Final = 4 / 3
"""The bar: so many times as slow may the other one's flood make a tenant's slowest texts."""
_WARM_UP: Final = 30


async def measure_tenants() -> dict[str, Any]:
    """Measure it on a worker of its own."""
    settings = {
        "TENANTS": "user_id",
        "TENANT_COMMANDS_PER_SECOND": str(FLOOD_PER_SECOND),
    }
    async with open_harness(capacity=len(SESSIONS), settings=settings) as harness:
        await link_sessions(harness, await create_sessions(harness, SESSIONS))
        for index, number in enumerate(CUSTOMERS):
            await harness.sandbox.client.add_phone(number, push_name=f"Customer {index}")
        await _steadily(harness, _commands(harness, QUIET, _WARM_UP))
        alone, beside = list[float](), list[float]()
        for _ in range(ROUNDS):
            commands = _commands(harness, QUIET, int(PER_SECOND * ALONE_SECONDS))
            alone += await _steadily(harness, commands)
            flood = _commands(harness, FLOODING, FLOOD)
            ends = Outcomes(harness.load, {command.id for command in flood})
            harness.load.publish(harness.frames(flood))
            commands = _commands(harness, QUIET, int(PER_SECOND * FLOOD / FLOOD_PER_SECOND))
            beside += await _steadily(harness, commands)
            await ends.all(seconds=120)
            ends.check()
    return _figures(alone, beside)


def _commands(harness: BenchHarness, sender: int, count: int) -> Sequence[MessageSend]:
    return [
        MessageSend(
            source=harness.backend.source,
            subject=SESSIONS[sender],
            data=MessageSendData(
                to=CUSTOMERS[sender], content=TextToSend(text=f"message {number}")
            ),
        )
        for number in range(count)
    ]


async def _steadily(harness: BenchHarness, commands: Sequence[MessageSend]) -> list[float]:
    """Send texts at a steady pace; returns the seconds that each took until its outcome."""
    outcomes = Outcomes(harness.load, {command.id for command in commands})
    frames, published = harness.frames(commands), dict[str, float]()
    started = time.monotonic()
    for number, command in enumerate(commands):
        await asyncio.sleep(max(0.0, started + number / PER_SECOND - time.monotonic()))
        published[command.id] = time.monotonic()
        harness.load.publish(frames[number : number + 1])
    await outcomes.all(seconds=120)
    outcomes.check()
    return [outcomes.at[one] - published[one] for one in published]


def _figures(alone: Sequence[float], beside: Sequence[float]) -> dict[str, Any]:
    before, during = percentiles(alone), percentiles(beside)
    ratio: Mapping[str, float] = {name: during[name] / before[name] for name in before}
    return {
        "alone_ms": before,
        "beside_flood_ms": during,
        "times_as_slow": {name: round(value, 2) for name, value in ratio.items()},
        "bar_p95": round(WORSE, 2),
        "met": ratio["p95"] <= WORSE,
        "flood": FLOOD * ROUNDS,
        "texts": len(alone) + len(beside),
    }
