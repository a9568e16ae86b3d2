"""The ring on raw hosts: each sends to the next, all at once, with nothing between."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from gateway_worker.devkit.sandbox_process import SandboxProcess

_LINK_SECONDS = 60.0
_SEND_SECONDS = 300.0


class RawHost:
    """One raw host's process."""

    def __init__(self, process: asyncio.subprocess.Process, number: str) -> None:
        self.number = number
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(
        cls, *, number: str, store: Path, worker_env: Mapping[str, str]
    ) -> AsyncIterator["RawHost"]:
        """Start the process; it shows a QR code next."""
        with store.with_suffix(".log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.bench.raw_host",
                str(store),
                worker_env["SANDBOX_PROXY_URL"],
                worker_env["SANDBOX_ROOT_KEY"],
                env={**os.environ, "SSL_CERT_FILE": worker_env["SANDBOX_CA_FILE"]},
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


async def start_ring(
    stack: AsyncExitStack, *, numbers: Sequence[str], directory: Path, sandbox: SandboxProcess
) -> list[RawHost]:
    """Start and link one host per number, whose phone exists."""
    hosts = []
    for number in numbers:
        store = directory / f"raw-{number}.db"
        host = await stack.enter_async_context(
            RawHost.start(number=number, store=store, worker_env=sandbox.worker_env)
        )
        await host.link(sandbox.client.scan)
        hosts.append(host)
    return hosts


async def run_ring(hosts: Sequence[RawHost], count: int) -> float:
    """Let each host send `count` messages to the next; returns messages per second."""
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for index, host in enumerate(hosts):
            tasks.create_task(host.send(hosts[(index + 1) % len(hosts)].number, count))
    return len(hosts) * count / (time.monotonic() - started)
