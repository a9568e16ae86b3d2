"""One large document out: what it takes of time and memory, and what texts notice of it.

What comes in is measured beside it, in `media_in`.

The raw figure is a program with the library alone, on the same machine: it gets the same document
from the same object store into a file, and has the library send it. It goes to somebody who is no
account of the gateway, which would fetch it meanwhile. Memory is looked at while nothing is timed,
for that takes time, too. The object store, which is on other machines as a rule, goes after
everything else on this one.
"""

import asyncio
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
from gateway_worker.media.objects import UPLOADS
from gateway_worker.storage.objects import Objects
from tests.bench.harness import MIB, Account, BenchHarness
from tests.bench.measures import LOG_SECONDS, WARM_UP, settled
from tests.bench.media_in import measure_media_in
from tests.bench.media_tools import (
    DOCUMENT_BYTES,
    Memory,
    bucket,
    make_document,
    percentiles,
    sizes,
    watched,
)
from tests.bench.priority import STORE, put_last
from tests.bench.raw import SENDER, start_ring

ROUNDS: Final = 3
BESIDE: Final = 6
"""So many documents texts go beside in each round: one lasts for some ten of them."""
AFTER_SECONDS: Final = 60.0
"""So long after the last upload the host's memory is looked at again."""
STEPS: Final = ("queue", "inbox", "execute", "library", "commit")
ALONE_SECONDS: Final = 5.0
TEXTS_PER_SECOND: Final = 10.0
_READER: Final = "13055550002"
_PATIENCE_SECONDS: Final = 300.0
_MIME: Final = "application/octet-stream"


@dataclass(slots=True)
class Texts:
    """What texts took.

    Attributes:
        seconds: From the command to its outcome.
        steps: What the worker's log says of each.
    """

    seconds: list[float] = field(default_factory=list)
    steps: list[Mapping[str, float]] = field(default_factory=list)

    def p95_of(self, step: str) -> float:
        """Return the 95th percentile of a step, in milliseconds."""
        return percentiles([one[f"{step}_seconds"] for one in self.steps])["p95"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The harness, and a backend that hears of outcomes."""

    harness: BenchHarness
    backend: Backend


async def measure_media(harness: BenchHarness) -> dict[str, Any]:
    """Send a large document, alone and with texts beside it."""
    put_last(STORE)
    async with Backend.open(
        harness.settings["AMQP_URL"],
        topology=harness.load.topology,
        name="bench-media",
        wanted=("command.#",),
    ) as backend:
        figures = {"out": await _measure_out(Bench(harness=harness, backend=backend))}
    return figures | await measure_media_in(harness)


async def _measure_out(bench: Bench) -> dict[str, Any]:
    harness = bench.harness
    document = harness.directory / "document"
    await asyncio.to_thread(make_document, document)
    sender, third = harness.accounts[:2]
    await harness.sandbox.client.add_phone(_READER)
    upload = await _uploaded(bench, sender, document)
    await _warm_up(bench, sender)
    memory = Memory()
    await watched(harness, memory, _several(bench, sender, upload, count=ROUNDS))
    rounds = await _rounds(bench, sender, document, upload)
    alone, beside = Texts(), Texts()
    for _ in range(ROUNDS):  # in turn: what slows the machine for a while slows both
        await _texts(bench, alone, sender, third, until=asyncio.sleep(ALONE_SECONDS))
        documents = _several(bench, sender, upload, count=BESIDE)
        await _texts(bench, beside, sender, third, until=documents)
    await asyncio.sleep(AFTER_SECONDS)
    return {
        "seconds": round(statistics.median(ours for _, ours in rounds), 2),
        "raw_seconds": round(statistics.median(raw for raw, _ in rounds), 2),
        "ratio": round(statistics.median(ours / raw for raw, ours in rounds), 2),
        "worker_extra_mib": memory.extra("worker"),
        "host_extra_mib": memory.extra("host"),
        "host_after_mib": round(sizes(harness)["host"] - memory.before["host"], 1),
        "mib": DOCUMENT_BYTES // MIB,
        "rounds": ROUNDS,
        "texts_ms": {
            "alone": percentiles(alone.seconds),
            "beside": percentiles(beside.seconds),
            "p95_ratio": round(_p95(beside.seconds) / _p95(alone.seconds), 2),
            "steps_p95": {name: [alone.p95_of(name), beside.p95_of(name)] for name in STEPS},
        },
    }


async def _rounds(
    bench: Bench, account: Account, document: Path, media_id: str
) -> list[tuple[float, float]]:
    """Send it without the gateway and with it, in turn; returns the seconds of each pair."""
    harness, rounds = bench.harness, []
    async with AsyncExitStack() as stack:
        objects = await stack.enter_async_context(Objects.open(bucket(harness)))
        url = await objects.link(UPLOADS + media_id, valid_seconds=3600)
        hosts = await start_ring(
            stack, SENDER, count=1, directory=harness.directory, sandbox=harness.sandbox
        )
        for _ in range(ROUNDS):
            began = time.monotonic()
            await hosts[0].send_document(_READER, url, document.with_suffix(".raw"))
            between = time.monotonic()
            await _send(bench, account, media_id)
            rounds.append((between - began, time.monotonic() - between))
    return rounds


async def _uploaded(bench: Bench, account: Account, document: Path) -> str:
    """Put a file into the bucket as a backend does; returns its media id."""
    size = await asyncio.to_thread(lambda: document.stat().st_size)
    asked = MediaUploadUrl(
        source=bench.backend.source,
        subject=account.session_id,
        data=MediaUploadUrlData(mime_type=_MIME, size=size),
    )
    outcome = await bench.backend.request(asked)
    if not isinstance(outcome, CommandSucceeded):
        raise TypeError(f"no URL: {outcome.data.error.code}")
    info = outcome.data.result
    assert isinstance(info, MediaUpload)

    def put() -> None:
        with document.open("rb") as file:
            headers = {**info.headers, "Content-Length": str(size)}
            request = urllib.request.Request(
                info.url, data=file, headers=headers, method=info.method
            )
            urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS).close()

    await asyncio.to_thread(put)
    media_id: str = info.media_id
    return media_id


async def _warm_up(bench: Bench, account: Account) -> None:
    """Have the worker do all of it once with a small file: what it loads for that it keeps."""
    small = bench.harness.directory / "small"
    await asyncio.to_thread(small.write_bytes, bytes(256))
    upload = await _uploaded(bench, account, small)
    for _ in range(WARM_UP):
        await _send(bench, account, upload)


async def _send(bench: Bench, account: Account, media_id: str) -> None:
    """Send the document; returns when WhatsApp has the message."""
    content = DocumentToSend(media=UploadSource(media_id=media_id), file_name="document.bin")
    await _succeed(bench, account, MessageSendData(to=_READER, content=content))


async def _several(bench: Bench, account: Account, media_id: str, *, count: int) -> None:
    """Send the document some times, one after the other."""
    for _ in range(count):
        await _send(bench, account, media_id)


async def _succeed(bench: Bench, account: Account, data: MessageSendData) -> str:
    """Send something; returns the command's id."""
    command = MessageSend(source=bench.backend.source, subject=account.session_id, data=data)
    outcome = await bench.backend.request(command, seconds=_PATIENCE_SECONDS)
    if not isinstance(outcome, CommandSucceeded):
        raise TypeError(f"a message failed: {outcome.data.error.code}")
    return command.id


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
    texts.seconds.extend(seconds.values())
    texts.steps.extend(steps.values())


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[94]
