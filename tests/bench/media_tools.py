"""What the measures of files have in common."""

import asyncio
import hashlib
import statistics
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway_worker.runtime.memory import pss_bytes
from gateway_worker.storage.objects import ObjectsSettings
from tests.bench.harness import MIB, BenchHarness

DOCUMENT_BYTES: Final = 100 * MIB
_SAMPLE_SECONDS: Final = 0.05


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
class Trend:
    """A process's memory over a while, in MiB."""

    sizes: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """How much more it is in the last fifth than in the second: in the first it warms up."""
        fifth = max(1, len(self.sizes) // 5)
        begin, end = self.sizes[fifth : 2 * fifth] or self.sizes, self.sizes[-fifth:]
        return round(statistics.median(end) - statistics.median(begin), 1)


def make_document(path: Path, *, number: int = 0) -> None:
    """Write bytes that nothing compresses and that are no known type; others for each number."""
    with path.open("wb") as file:
        for part in range(DOCUMENT_BYTES // MIB):
            file.write(hashlib.shake_128(b"%d/%d" % (number, part)).digest(MIB))


def bucket(harness: BenchHarness) -> ObjectsSettings:
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


async def watched(harness: BenchHarness, memory: Memory, work: Awaitable[object]) -> None:
    """Do something and look at memory meanwhile."""
    hosts = [process.pid for process in harness.worker.hosts()]
    memory.see(sizes(harness, hosts))
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait((task,), timeout=_SAMPLE_SECONDS)
        memory.see(sizes(harness, hosts))
    await task


def sizes(harness: BenchHarness, hosts: Sequence[int] | None = None) -> dict[str, float]:
    if hosts is None:
        hosts = [process.pid for process in harness.worker.hosts()]
    found = [pss_bytes(pid) or 0 for pid in hosts]
    return {"worker": harness.worker_rss_mib(), "host": sum(found) / MIB}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(cuts[49] * 1000, 1), "p95": round(cuts[94] * 1000, 1)}
