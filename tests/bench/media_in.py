"""Files in: a large document, and many pictures for many sessions.

The raw figure of the document is a program with the library alone: it downloads the same document
when the message has come and puts it into the same object store. Both times begin with the message.
Memory is looked at while nothing is timed, for that takes time, too.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway_contracts import Event, MediaReady, MessageReceived
from gateway_worker.devkit.backend import Backend
from gateway_worker.sandbox.control.models import NewMedia
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.storage.objects import Objects, Streams
from tests.bench.harness import BenchHarness
from tests.bench.media_tools import (
    DOCUMENT_BYTES,
    Memory,
    Trend,
    bucket,
    make_document,
    percentiles,
    watched,
)
from tests.bench.raw import RECEIVER, RawHost, start_ring

ROUNDS: Final = 3
PICTURE_BYTES: Final = 200_000
PICTURES_PER_SECOND: Final = 20
PICTURES_SECONDS: Final = float(os.environ.get("BENCH_PICTURES_SECONDS", "30"))
_WRITER: Final = "13055550001"
_PATIENCE_SECONDS: Final = 300.0
_SETTLE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 1.0


async def measure_media_in(harness: BenchHarness) -> dict[str, Any]:
    """Have somebody who is no account of the gateway send a document, and then pictures."""
    await harness.sandbox.client.add_phone(_WRITER)
    async with Backend.open(
        harness.settings["AMQP_URL"],
        topology=harness.load.topology,
        name="bench-media-in",
        wanted=("message.received.#", "media.#"),
    ) as backend:
        return {
            "in": await _measure_document(harness, backend),
            "inbound_rate": await _measure_rate(harness, backend),
        }


async def _measure_document(harness: BenchHarness, backend: Backend) -> dict[str, Any]:
    account, memory, rounds = harness.accounts[0], Memory(), []
    async with AsyncExitStack() as stack:
        objects = await stack.enter_async_context(Objects.open(bucket(harness)))
        (raw,) = await start_ring(
            stack, RECEIVER, count=1, directory=harness.directory, sandbox=harness.sandbox
        )
        async with _document(harness, ROUNDS) as document:
            await watched(
                harness, memory, _received(harness, backend, account.session_id, document)
            )
        for number in range(ROUNDS):
            url = await objects.link(
                f"bench/raw-{number}", valid_seconds=3600, operation="put_object"
            )
            await raw.expect_document(url)
            async with _document(harness, number) as document:
                raw_seconds = await _raw(harness, raw, document)
                seconds = await _received(harness, backend, account.session_id, document)
            rounds.append((raw_seconds, seconds))
    return {
        "seconds": round(statistics.median(ours for _, ours in rounds), 2),
        "raw_seconds": round(statistics.median(theirs for theirs, _ in rounds), 2),
        "ratio": round(statistics.median(ours / theirs for theirs, ours in rounds), 2),
        "worker_extra_mib": memory.extra("worker"),
        "host_extra_mib": memory.extra("host"),
        "mib": DOCUMENT_BYTES // 2**20,
        "rounds": ROUNDS,
    }


async def _raw(harness: BenchHarness, raw: RawHost, document: Path) -> float:
    await _send_document(harness, raw.number, document)
    return await raw.stored()


@asynccontextmanager
async def _document(harness: BenchHarness, number: int) -> AsyncIterator[Path]:
    """Have a document that has not been sent before while the block runs."""
    document = harness.directory / f"document-{number}"
    await asyncio.to_thread(make_document, document, number=number + 1)
    yield document
    document.unlink()


async def _received(
    harness: BenchHarness, backend: Backend, session_id: str, document: Path
) -> float:
    """Send the document to a session; returns how long after its message it is there."""
    after = len(backend.arrivals)
    sending = asyncio.create_task(
        _send_document(harness, _number_of(harness, session_id), document)
    )
    await backend.expect(MessageReceived, session_id, after=after, seconds=_PATIENCE_SECONDS)
    began = time.monotonic()
    await backend.expect(MediaReady, session_id, after=after, seconds=_PATIENCE_SECONDS)
    seconds = time.monotonic() - began
    await sending
    return seconds


def _number_of(harness: BenchHarness, session_id: str) -> str:
    return next(one.number for one in harness.accounts if one.session_id == session_id)


async def _send_document(harness: BenchHarness, to: str, document: Path) -> None:
    media = NewMedia(to=to, kind=MediaKind.DOCUMENT, path=str(document), file_name="document.bin")
    await harness.sandbox.client.send_media(_WRITER, media)


async def _measure_rate(harness: BenchHarness, backend: Backend) -> dict[str, Any]:
    """Send pictures evenly to all sessions in turn; each is to be in the store soon."""
    trend, watch = Trend(), _Watch(backend)
    before = harness.worker_rss_mib()
    began = time.monotonic()
    sent: dict[str, float] = {}

    async def send(number: int) -> None:
        to = harness.accounts[number % len(harness.accounts)].number
        media = NewMedia(to=to, kind=MediaKind.IMAGE, data=os.urandom(PICTURE_BYTES))
        message_id = await harness.sandbox.client.send_media(_WRITER, media)
        sent[message_id] = time.monotonic()

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch.run())
        looking = tasks.create_task(_look(harness, trend))
        async with asyncio.TaskGroup() as sends:
            for number in range(round(PICTURES_PER_SECOND * PICTURES_SECONDS)):
                sends.create_task(send(number))
                due = began + (number + 1) / PICTURES_PER_SECOND
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        seconds_of_load = time.monotonic() - began
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await watch.until_ready(len(sent))
        watching.cancel()
        looking.cancel()
    await asyncio.sleep(_SETTLE_SECONDS)
    return {
        "pictures": len(sent),
        "stored": await _stored(harness, watch.keys),
        "per_second": round(len(sent) / seconds_of_load, 1),
        "seconds": round(seconds_of_load),
        "kilobytes": PICTURE_BYTES // 1000,
        "message_ms": percentiles([watch.received[id_] - at for id_, at in sent.items()]),
        "ready_ms": percentiles([watch.ready[id_] - at for id_, at in sent.items()]),
        "worker_extra_mib": round(max(trend.sizes) - before, 1),
        "worker_after_mib": round(harness.worker_rss_mib() - before, 1),
        "worker_growth_mib": trend.growth,
    }


async def _look(harness: BenchHarness, trend: Trend) -> None:
    """Note the worker's memory until cancelled."""
    while True:
        trend.sizes.append(harness.worker_rss_mib())
        await asyncio.sleep(_LOOK_SECONDS)


async def _stored(harness: BenchHarness, keys: Iterable[str]) -> int:
    """Return how many whole pictures the object store has, of those that were told to be there."""
    async with Objects.open(bucket(harness)) as objects:
        streams = Streams(objects=objects)
        heads = [await streams.head(key) for key in set(keys)]
    return sum(head is not None and head.size_bytes == PICTURE_BYTES for head in heads)


class _Watch:
    """Notes when each event of a message with a file came.

    Attributes:
        received: When each message was told, by its id.
        ready: When its file was.
        keys: Where those are.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._seen = len(backend.arrivals)
        self.received: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        self.keys: list[str] = []

    async def until_ready(self, count: int) -> None:
        """Return when so many files are there."""
        while len(self.ready) < count:
            await self._backend.changed()
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            for one in self._backend.arrivals[self._seen :]:
                self._note(one.event)
                self._seen += 1
            await self._backend.changed()

    def _note(self, event: Event) -> None:
        if isinstance(event, MessageReceived):
            self.received[event.data.message_id] = time.monotonic()
        elif isinstance(event, MediaReady):
            self.ready[event.data.message_id] = time.monotonic()
            self.keys.append(event.data.media.key or "")
