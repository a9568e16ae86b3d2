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
from gateway_worker.media.uploads import PREFIX
from gateway_worker.storage.objects import Objects, ObjectsSettings
from gateway_worker.whatsapp.memory import pss_bytes
from tests.bench.harness import MIB, Account, BenchHarness
from tests.bench.raw import RAW, RawHost, start_ring

DOCUMENT_BYTES: Final = 100 * MIB
ROUNDS: Final = 3
AFTER_SECONDS: Final = 60.0
"""So long after the last upload the host's memory is looked at again."""
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


async def measure_media(harness: BenchHarness) -> dict[str, Any]:
    """Send the document several times, and once with texts beside it."""
    document = harness.directory / "document"
    await asyncio.to_thread(_make_document, document)
    sender, other = harness.accounts[0], harness.accounts[1]
    upload = await _uploaded(harness, sender, document)
    raw_seconds = await _raw_rounds(harness, document, sender, upload)
    alone = await _texts(harness, sender, harness.accounts[2], until=asyncio.sleep(10))
    memory, seconds = Memory(), []
    for _ in range(ROUNDS):
        began = time.monotonic()
        await _watched(harness, memory, _send(harness, sender, other, upload))
        seconds.append(time.monotonic() - began)
    beside = await _texts(
        harness, sender, harness.accounts[2], until=_send(harness, sender, other, upload)
    )
    await asyncio.sleep(AFTER_SECONDS)
    return {
        "out": {
            "seconds": round(statistics.median(seconds), 2),
            "raw_seconds": round(statistics.median(raw_seconds), 2),
            "ratio": round(statistics.median(seconds) / statistics.median(raw_seconds), 2),
            "worker_extra_mib": memory.extra("worker"),
            "host_extra_mib": memory.extra("host"),
            "host_after_mib": round(_sizes(harness)["host"] - memory.before["host"], 1),
            "mib": DOCUMENT_BYTES // MIB,
            "rounds": ROUNDS,
            "texts_ms": {
                "alone": _percentiles(alone),
                "beside": _percentiles(beside),
                "p95_ratio": round(_p95(beside) / _p95(alone), 2),
            },
        }
    }


def _make_document(path: Path) -> None:
    """Write bytes that nothing compresses and that are no known type."""
    with path.open("wb") as file:
        for number in range(DOCUMENT_BYTES // MIB):
            file.write(hashlib.shake_128(number.to_bytes(4, "big")).digest(MIB))


async def _uploaded(harness: BenchHarness, account: Account, document: Path) -> str:
    """Put the document into the bucket as a backend does; returns its media id."""
    asked = MediaUploadUrl(
        source=harness.backend.source,
        subject=account.session_id,
        data=MediaUploadUrlData(mime_type=_MIME, size=DOCUMENT_BYTES),
    )
    outcome = await harness.backend.request(asked)
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


async def _send(harness: BenchHarness, account: Account, to: Account, media_id: str) -> None:
    """Send the document; returns when WhatsApp has the message."""
    content = DocumentToSend(media=UploadSource(media_id=media_id), file_name="document.bin")
    await _succeed(harness, account, MessageSendData(to=to.number, content=content))


async def _succeed(harness: BenchHarness, account: Account, data: MessageSendData) -> None:
    command = MessageSend(source=harness.backend.source, subject=account.session_id, data=data)
    outcome = await harness.backend.request(command, seconds=_PATIENCE_SECONDS)
    if not isinstance(outcome, CommandSucceeded):
        raise TypeError(f"a message failed: {outcome.data.error.code}")


async def _raw_rounds(
    harness: BenchHarness, document: Path, to: Account, media_id: str
) -> list[float]:
    """Have a program with the library alone do the same; returns its seconds."""
    async with AsyncExitStack() as stack:
        objects = await stack.enter_async_context(Objects.open(_bucket(harness)))
        url = await objects.link(PREFIX + media_id, valid_seconds=3600)
        hosts = await start_ring(
            stack, RAW, count=1, directory=harness.directory, sandbox=harness.sandbox
        )
        return [await _raw_round(hosts[0], to.number, url, document) for _ in range(ROUNDS)]


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


async def _raw_round(host: RawHost, to: str, url: str, document: Path) -> float:
    began = time.monotonic()
    await host.send_document(to, url, document.with_suffix(".raw"))
    return time.monotonic() - began


async def _texts(
    harness: BenchHarness, account: Account, to: Account, until: Awaitable[object]
) -> list[float]:
    """Send texts evenly until something else is over; returns the seconds of each."""
    seconds: list[float] = []

    async def send(number: int) -> None:
        began = time.monotonic()
        content = TextToSend(text=f"text {number}")
        await _succeed(harness, account, MessageSendData(to=to.number, content=content))
        seconds.append(time.monotonic() - began)

    other = asyncio.ensure_future(until)
    began, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as texts:
        while not other.done():
            texts.create_task(send(number))
            number += 1
            await asyncio.sleep(max(0.0, began + number / TEXTS_PER_SECOND - time.monotonic()))
    await other
    return seconds


async def _watched(harness: BenchHarness, memory: Memory, work: Awaitable[None]) -> None:
    """Do something and look at memory meanwhile."""
    memory.see(_sizes(harness))
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait((task,), timeout=_SAMPLE_SECONDS)
        memory.see(_sizes(harness))
    await task


def _sizes(harness: BenchHarness) -> dict[str, float]:
    hosts = [pss_bytes(process.pid) or 0 for process in harness.worker.hosts()]
    return {"worker": harness.worker_rss_mib(), "host": sum(hosts) / MIB}


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(cuts[49] * 1000, 1), "p95": round(cuts[94] * 1000, 1)}


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[94]
