"""The ring on raw hosts: each sends to the next, all at once, with nothing between.

Of two kinds: `RAW` is what one writes by the library's manual; `LEAN` takes what of the gateway's
own settings one can pass to the library from outside.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway_worker.devkit.sandbox_process import SandboxProcess
from tests.bench.cpu import cpu_seconds, per_message
from tests.bench.harness import RingRun

_LINK_SECONDS = 60.0
_SEND_SECONDS = 300.0
_LINK_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RawKind:
    """How raw hosts are run.

    Attributes:
        name: In front of their stores' names.
        prefix: Of their phones' numbers.
        store: Parameters of the library's SQLite driver, behind the store's name.
        environment: Further variables of theirs.
    """

    name: str
    prefix: str
    store: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


RAW: Final = RawKind(name="raw", prefix="1303555")
SENDER: Final = RawKind(name="sender", prefix="1305555")
RECEIVER: Final = RawKind(name="receiver", prefix="1306555")
"""As `RAW`, for files: each measure has phones of its own."""
LEAN: Final = RawKind(
    name="lean",
    prefix="1304555",
    store="?_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000&_foreign_keys=on"
    "&_stmt_cache_size=32&_=",
    environment={"GOMAXPROCS": "1"},
)


class RawHost:
    """One raw host's process."""

    def __init__(self, process: asyncio.subprocess.Process, number: str) -> None:
        self.number = number
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(
        cls, *, kind: RawKind, number: str, directory: Path, worker_env: Mapping[str, str]
    ) -> AsyncIterator["RawHost"]:
        """Start the process; it shows a QR code next."""
        store = directory / f"{kind.name}-{number}.db"
        with store.with_suffix(".log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.bench.raw_host",
                f"{store}{kind.store}",
                worker_env["SANDBOX_PROXY_URL"],
                worker_env["SANDBOX_ROOT_KEY"],
                env={
                    **os.environ,
                    **kind.environment,
                    "SSL_CERT_FILE": worker_env["SANDBOX_CA_FILE"],
                },
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            yield cls(process, number)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def event(self, kind: str, seconds: float) -> dict[str, Any]:
        """Return the next event of a kind; others are skipped."""
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            while line := await self._process.stdout.readline():
                event: dict[str, Any] = json.loads(line)
                if event["event"] == kind:
                    return event
        raise RuntimeError(f"a raw host ended before it said {kind}")

    async def link(self, scan: Callable[[str, str], Awaitable[Any]]) -> None:
        """Pair with a simulated phone and wait until connected."""
        qr = await self.event("qr", _LINK_SECONDS)
        await scan(self.number, qr["text"])
        await self.event("connected", _LINK_SECONDS)

    async def send(self, to: str, count: int) -> None:
        """Send messages one after the other; returns when the last is acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"to": to, "count": count}).encode() + b"\n")
        await self._process.stdin.drain()
        await self.event("sent", _SEND_SECONDS)

    async def send_document(self, to: str, url: str, path: Path) -> None:
        """Get a file from a URL and send it as a document; returns when that is acknowledged."""
        assert self._process.stdin is not None
        order = {"to": to, "url": url, "path": str(path)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        await self.event("sent", _SEND_SECONDS)

    async def expect_document(self, url: str) -> None:
        """Have the next document put to a URL of the object store."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"to": self.number, "put": url}).encode() + b"\n")
        await self._process.stdin.drain()
        await self.event("sent", _SEND_SECONDS)

    async def stored(self) -> float:
        """Return how long the document took, once it is stored."""
        return float((await self.event("stored", _SEND_SECONDS))["seconds"])


async def start_ring(
    stack: AsyncExitStack, kind: RawKind, *, count: int, directory: Path, sandbox: SandboxProcess
) -> list[RawHost]:
    """Start and link so many hosts, each with a phone of its own."""
    gate = asyncio.Semaphore(_LINK_AT_ONCE)

    async def start(number: str) -> RawHost:
        async with gate:
            await sandbox.client.add_phone(number)
            host = await stack.enter_async_context(
                RawHost.start(
                    kind=kind, number=number, directory=directory, worker_env=sandbox.worker_env
                )
            )
            await host.link(sandbox.client.scan)
            return host

    numbers = [f"{kind.prefix}{index:04d}" for index in range(count)]
    async with asyncio.TaskGroup() as tasks:
        hosts = [tasks.create_task(start(number)) for number in numbers]
    return [host.result() for host in hosts]


async def run_ring(hosts: Sequence[RawHost], count: int) -> RingRun:
    """Let each host send `count` messages to the next."""
    before, started = cpu_seconds(), time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for index, host in enumerate(hosts):
            tasks.create_task(host.send(hosts[(index + 1) % len(hosts)].number, count))
    messages = len(hosts) * count
    per_s = messages / (time.monotonic() - started)
    return RingRun(per_s=per_s, cpu=per_message(before, cpu_seconds(), messages))
