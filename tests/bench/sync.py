"""What it is to be told of 50,000 messages from before, and what live ones notice of it.

Two sessions: one is linked with `history`, the other one has nothing to do with it. Somebody writes
to both, at a steady pace, before the history comes and while it does.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from gateway_contracts import (
    HistoryDepth,
    HistoryMessages,
    MessageReceived,
    SessionCreate,
    SessionCreateData,
    SessionQr,
    SessionState,
    SessionStatus,
    TextContent,
)
from gateway_worker.devkit.received import ReceivedEvent
from gateway_worker.sandbox.control.abilities.history import HistoryBody
from gateway_worker.sandbox.phones.history import HistoryType
from tests.bench.harness import BenchHarness
from tests.bench.media_tools import Memory, percentiles, sizes

CHATS: Final = 50
CHARACTERS: Final = 120
TEXTS_PER_SECOND: Final = 10.0
"""To each of both sessions."""
ALONE_SECONDS: Final = 10.0
BARS: Final = {"live_p95_ms": 200.0, "worker_extra_mib": 64.0}
_CUSTOMER: Final = "12025570000"
_SESSIONS: Final = {"sync": "12025550000", "live": "12025560000"}
"""Their names and the numbers of their phones."""
_PATIENCE_SECONDS: Final = 1_800.0
_WARM_UP: Final = 10
_SAMPLE_SECONDS: Final = 0.1


@dataclass(slots=True)
class Told:
    """What the backend has been told.

    Attributes:
        arrived: When each text was told, by the monotonic clock.
        pages: How many pages of the history.
        messages: How many messages were in them.
        is_over: Whether its last page has come.
    """

    arrived: dict[str, float] = field(default_factory=dict)
    pages: int = 0
    messages: int = 0
    is_over: bool = False

    def note(self, arrival: ReceivedEvent) -> None:
        """Take an event."""
        match arrival.event:
            case MessageReceived(data=data) if isinstance(data.content, TextContent):
                self.arrived.setdefault(data.content.text, time.monotonic())
            case HistoryMessages(data=data):
                self.pages += 1
                self.messages += len(data.messages)
                self.is_over |= data.finished


@dataclass(slots=True)
class Written:
    """When each text was written to each session, by the monotonic clock."""

    at: dict[str, dict[str, float]] = field(
        default_factory=lambda: {name: {} for name in _SESSIONS}
    )

    def lags(self, told: Told) -> Mapping[str, Sequence[float]]:
        """Return how many seconds each text took."""
        return {
            name: [told.arrived[text] - at for text, at in texts.items()]
            for name, texts in self.at.items()
        }

    def missing(self, told: Told) -> bool:
        """Whether one has not been told yet."""
        return any(not texts.keys() <= told.arrived.keys() for texts in self.at.values())


async def measure_sync(
    harness: BenchHarness, *, messages: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure it; the harness has no session yet."""
    told = Told()
    harness.backend.on_arrival(told.note)
    await _link(harness)
    await _write(harness, "warm-up", count=_WARM_UP)
    say("live messages without a history")
    alone = await _write(harness, "alone", count=int(ALONE_SECONDS * TEXTS_PER_SECOND))
    await _until(harness, lambda: not alone.missing(told))
    say(f"a history of {messages} messages")
    memory = Memory()
    memory.see(sizes(harness))
    watching = asyncio.create_task(_watch(harness, memory))
    started = time.monotonic()
    history = HistoryBody(
        kind=HistoryType.FULL,
        made_chats=CHATS,
        made_messages=messages // CHATS,
        made_characters=CHARACTERS,
    )
    size = await harness.sandbox.client.send_history(_SESSIONS["sync"], history)
    beside = await _write(harness, "beside", until=lambda: told.is_over)
    seconds = time.monotonic() - started
    await _until(harness, lambda: not beside.missing(told))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    before, during = (
        {name: percentiles(lags) for name, lags in written.lags(told).items()}
        for written in (alone, beside)
    )
    return {
        "messages": told.messages,
        "pages": told.pages,
        "compressed_bytes": size,
        "seconds": round(seconds, 1),
        "messages_per_s": round(told.messages / seconds),
        "live_alone_ms": before,
        "live_beside_ms": during,
        "live_p95_ms": max(each["p95"] for each in during.values()),
        "worker_extra_mib": memory.extra("worker"),
        "hosts_extra_mib": memory.extra("host"),
        "bars": BARS,
    }


async def _link(harness: BenchHarness) -> None:
    backend, client = harness.backend, harness.sandbox.client
    await client.add_phone(_CUSTOMER)
    for name, number in _SESSIONS.items():
        await client.add_phone(number)
        depth = HistoryDepth.FULL if name == "sync" else None
        data = SessionCreateData(history=depth)
        await backend.publish(SessionCreate(source=backend.source, subject=name, data=data))
        qr = await backend.expect(SessionQr, name, seconds=60)
        await client.scan(number, qr.data.code)
        await backend.expect(
            SessionStatus,
            name,
            lambda event: event.data.state is SessionState.CONNECTED,
            seconds=60,
        )


async def _write(
    harness: BenchHarness,
    what: str,
    *,
    count: int | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Written:
    """Write to both sessions at a steady pace: so often, or until something is so."""
    written, started, number = Written(), time.monotonic(), 0
    while not until() and (count is None or number < count):
        if time.monotonic() - started > _PATIENCE_SECONDS:
            raise TimeoutError(f"{what}: it takes too long")
        pause = started + number / TEXTS_PER_SECOND - time.monotonic()
        await asyncio.sleep(max(0.0, pause))
        for name, phone in _SESSIONS.items():
            text = f"{what} {name} {number}"
            written.at[name][text] = time.monotonic()
            await harness.sandbox.client.send_text(_CUSTOMER, phone, text)
        number += 1
    return written


async def _until(harness: BenchHarness, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await harness.backend.changed()


async def _watch(harness: BenchHarness, memory: Memory) -> None:
    while True:
        memory.see(sizes(harness))
        await asyncio.sleep(_SAMPLE_SECONDS)
