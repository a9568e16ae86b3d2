"""One large document out: what it takes of time and memory, and what texts notice of it.

The raw figure is a program with the library alone, on the same machine: it gets the same document
from the same object store into a file, and has the library send it.
"""

import asyncio
import hashlib
import statistics
import time
import urllib.request
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway_contracts import (
    CommandSucceeded,
    DocumentToSend,
    MediaUpload,
    MediaUploadUrl,
    MediaUploadUrlData,
    MessageSend,
    MessageSendData,
    TextToSend,
    UploadSource,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.media.uploads import PREFIX
from gateway_worker.storage.objects import Objects, ObjectsSettings
from gateway_worker.whatsapp.memory import pss_bytes
from tests.bench.harness import MIB, Account, BenchHarness
from tests.bench.measures import LOG_SECONDS, settled
from tests.bench.raw import RAW, start_ring

DOCUMENT_BYTES: Final = 100 * MIB
ROUNDS: Final = 3
AFTER_SECONDS: Final = 60.0
"""So long after the last upload the host's memory is looked at again."""
ALONE_SECONDS: Final = 5.0
TEXTS_PER_SECOND: Final = 10.0
_SAMPLE_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 300.0
_MIME: Final = "application/octet-stream"


@dataclass(slots=True)
class Memory:
    """The most memory that processes have had since `before`, in MiB."""

    before: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)

    def see(self, now: Mapping[str, float]) -> None:
        """Take a sample."""
        for name, size in now.items():
            self.before.setdefault(name, size)
            self.most[name] = max(size, self.most.get(name, 0.0))

    def extra(self, name: str) -> float:
        """Return how much more than before it was at most."""
        return round(self.most[name] - self.before[name], 1)


@dataclass(slots=True)
class Texts:
    """What texts took.

    Attributes:
        seconds: From the command to its outcome.
        added: The same without the library's own time.
    """

    seconds: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The harness, and a backend that hears of outcomes."""

    harness: BenchHarness
    backend: Backend


async def measure_media(harness: BenchHarness) -> dict[str, Any]:
    """Send a large document, alone and with texts beside it."""
    async with Backend.open(
        harness.settings["AMQP_URL"],
        topology=harness.load.topology,
        name="bench-media",
        wanted=("command.#",),
    ) as backend:
        return {"out": await _measure_out(Bench(harness=harness, backend=backend))}


async def _measure_out(bench: Bench) -> dict[str, Any]:
    harness = bench.harness
    document = harness.directory / "document"
    await asyncio.to_thread(_make_document, document)
    sender, other, third = harness.accounts[:3]
    upload = await _uploaded(bench, sender, document)
    rounds, memory = await _rounds(bench, document, upload)
    alone, beside = Texts(), Texts()
    for _ in range(ROUNDS):  # in turn: what slows the machine for a while slows both
        await _texts(bench, alone, sender, third, until=asyncio.sleep(ALONE_SECONDS))
        await _texts(bench, beside, sender, third, until=_several(bench, sender, other, upload))
    await asyncio.sleep(AFTER_SECONDS)
    return {
        "seconds": round(statistics.median(ours for _, ours in rounds), 2),
        "raw_seconds": round(statistics.median(raw for raw, _ in rounds), 2),
        "ratio": round(statistics.median(ours / raw for raw, ours in rounds), 2),
        "worker_extra_mib": memory.extra("worker"),
        "host_extra_mib": memory.extra("host"),
        "host_after_mib": round(_sizes(harness)["host"] - memory.before["host"], 1),
        "mib": DOCUMENT_BYTES // MIB,
        "rounds": ROUNDS,
        "texts_ms": {
            "alone": _percentiles(alone.seconds),
            "beside": _percentiles(beside.seconds),
            "p95_ratio": round(_p95(beside.seconds) / _p95(alone.seconds), 2),
            "alone_added": _percentiles(alone.added),
            "beside_added": _percentiles(beside.added),
        },
    }


async def _rounds(
    bench: Bench, document: Path, media_id: str
) -> tuple[list[tuple[float, float]], "Memory"]:
    """Send it without the gateway and with it, in turn; returns the seconds of each pair."""
    harness, memory = bench.harness, Memory()
    sender, other = harness.accounts[:2]
    rounds = []
    async with AsyncExitStack() as stack:
        objects = await stack.enter_async_context(Objects.open(_bucket(harness)))
        url = await objects.link(PREFIX + media_id, valid_seconds=3600)
        hosts = await start_ring(
            stack, RAW, count=1, directory=harness.directory, sandbox=harness.sandbox
        )
        for _ in range(ROUNDS):
            began = time.monotonic()
            await hosts[0].send_document(other.number, url, document.with_suffix(".raw"))
            between = time.monotonic()
            await _watched(harness, memory, _send(bench, sender, other, media_id))
            rounds.append((between - began, time.monotonic() - between))
    return rounds, memory


def _make_document(path: Path) -> None:
    """Write bytes that nothing compresses and that are no known type."""
    with path.open("wb") as file:
        for number in range(DOCUMENT_BYTES // MIB):
            file.write(hashlib.shake_128(number.to_bytes(4, "big")).digest(MIB))


async def _uploaded(bench: Bench, account: Account, document: Path) -> str:
    """Put the document into the bucket as a backend does; returns its media id."""
    asked = MediaUploadUrl(
        source=bench.backend.source,
        subject=account.session_id,
        data=MediaUploadUrlData(mime_type=_MIME, size=DOCUMENT_BYTES),
    )
    outcome = await bench.backend.request(asked)
    if not isinstance(outcome, CommandSucceeded):
        raise TypeError(f"no URL: {outcome.data.error.code}")
    info = outcome.data.result
    assert isinstance(info, MediaUpload)

    def put() -> None:
        with document.open("rb") as file:
            headers = {**info.headers, "Content-Length": str(DOCUMENT_BYTES)}
            request = urllib.request.Request(
                info.url, data=file, headers=headers, method=info.method
            )
            urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS).close()

    await asyncio.to_thread(put)
    media_id: str = info.media_id
    return media_id


async def _send(bench: Bench, account: Account, to: Account, media_id: str) -> None:
    """Send the document; returns when WhatsApp has the message."""
    content = DocumentToSend(media=UploadSource(media_id=media_id), file_name="document.bin")
    await _succeed(bench, account, MessageSendData(to=to.number, content=content))


async def _several(bench: Bench, account: Account, to: Account, media_id: str) -> None:
    """Send the document so often that many texts go beside it."""
    for _ in range(ROUNDS):
        await _send(bench, account, to, media_id)


async def _succeed(bench: Bench, account: Account, data: MessageSendData) -> str:
    """Send something; returns the command's id."""
    command = MessageSend(source=bench.backend.source, subject=account.session_id, data=data)
    outcome = await bench.backend.request(command, seconds=_PATIENCE_SECONDS)
    if not isinstance(outcome, CommandSucceeded):
        raise TypeError(f"a message failed: {outcome.data.error.code}")
    return command.id


def _bucket(harness: BenchHarness) -> ObjectsSettings:
    names = {
        "endpoint_url": "S3_ENDPOINT_URL",
        "access_key_id": "S3_ACCESS_KEY_ID",
        "secret_access_key": "S3_SECRET_ACCESS_KEY",
        "region": "S3_REGION",
        "bucket": "S3_BUCKET",
    }
    return ObjectsSettings.model_validate(
        {field: harness.settings[name] for field, name in names.items()}
    )


async def _texts(
    bench: Bench, texts: Texts, account: Account, to: Account, *, until: Awaitable[object]
) -> None:
    """Send texts evenly until something else is over, and note what they took."""
    seconds: dict[str, float] = {}

    async def send(number: int) -> None:
        began = time.monotonic()
        content = TextToSend(text=f"text {number}")
        command_id = await _succeed(bench, account, MessageSendData(to=to.number, content=content))
        seconds[command_id] = time.monotonic() - began

    other = asyncio.ensure_future(until)
    began, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as tasks:
        while not other.done():
            tasks.create_task(send(number))
            number += 1
            await asyncio.sleep(max(0.0, began + number / TEXTS_PER_SECOND - time.monotonic()))
    await other
    await asyncio.sleep(LOG_SECONDS)
    steps = settled(bench.harness, set(seconds))
    for command_id, took in seconds.items():
        texts.seconds.append(took)
        texts.added.append(took - steps[command_id]["library_seconds"])


async def _watched(harness: BenchHarness, memory: Memory, work: Awaitable[None]) -> None:
    """Do something and look at memory meanwhile."""
    hosts = [process.pid for process in harness.worker.hosts()]
    memory.see(_sizes(harness, hosts))
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait((task,), timeout=_SAMPLE_SECONDS)
        memory.see(_sizes(harness, hosts))
    await task


def _sizes(harness: BenchHarness, hosts: Sequence[int] | None = None) -> dict[str, float]:
    if hosts is None:
        hosts = [process.pid for process in harness.worker.hosts()]
    sizes = [pss_bytes(pid) or 0 for pid in hosts]
    return {"worker": harness.worker_rss_mib(), "host": sum(sizes) / MIB}


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(cuts[49] * 1000, 1), "p95": round(cuts[94] * 1000, 1)}


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[94]
