"""A worker as a process of its own, started as an operator starts it: for demo, tests, benches."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import (
    Child,
    Command,
    Spawn,
    base_environment,
    is_alive,
    spawned,
)
from gateway_worker.media.inspection.helpers import PROGRAM as INSPECTION

READY_SECONDS = 60.0
STOP_SECONDS = 40.0
_PROBE_SECONDS = 2.0


class WorkerProcess:
    """`gateway-worker run` with settings of its own; never outlives this process.

    Made by `harness.Workers`.

    Args:
        worker_id: Its WORKER_ID.
        directory: Its DATA_DIR and log are kept here.
        health_port: Where its probes listen.
        environment: Further settings: services, sandbox.

    Attributes:
        python: The interpreter, which says whose code runs: this one's by default.
        spawn: How its process is started: as a program of its own by default.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        directory: Path,
        health_port: int,
        environment: Mapping[str, str],
    ) -> None:
        self.worker_id = worker_id
        self.python = Path(sys.executable)
        self.spawn: Spawn = spawned
        self.data_dir = directory / "data"
        self.log_path = directory / f"{worker_id}.log"
        self._health_port = health_port
        self._environment = {
            **base_environment(),
            **{
                name: os.environ[name]
                for name in ("PYTHONPATH", "PYTHONWARNINGS")
                if name in os.environ
            },
            "WORKER_ID": worker_id,
            "DATA_DIR": str(self.data_dir),
            "HEALTH_HOST": LOOPBACK,
            "HEALTH_PORT": str(health_port),
            "AUTO_MIGRATE": "true",
            **environment,
        }
        self._directory = directory
        self._child: Child | None = None

    def rival(self, worker_id: str) -> "WorkerProcess":
        """Return another worker with the same settings and the same DATA_DIR, not started."""
        rival = type(self)(
            worker_id=worker_id,
            directory=self._directory,
            health_port=self._health_port,
            environment={**self._environment, "WORKER_ID": worker_id},
        )
        rival.spawn = self.spawn
        return rival

    @property
    def probe_port(self) -> int:
        """Where its probes listen."""
        return self._health_port

    @property
    def is_running(self) -> bool:
        """Whether the process exists."""
        return self._child is not None and self._child.is_running

    @property
    def process(self) -> psutil.Process:
        """The worker's own process."""
        if self._child is None or self._child.pid is None:
            raise RuntimeError(f"the worker {self.worker_id} does not run")
        return psutil.Process(self._child.pid)

    async def start(self, *, wait_ready: bool = True) -> None:
        """Start it; returns when its readiness probe says yes (or at once).

        Raises:
            ServiceStartError: It ended or did not become ready; the message has its last output.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        self._child = Child(
            name=f"worker {self.worker_id}",
            command=Command(
                arguments=[str(self.python), "-m", "gateway_worker", "run"],
                environment=self._environment,
                directory=self._directory,
                log_path=self.log_path,
            ),
            spawn=self.spawn,
        )
        self._child.spawn()
        if wait_ready:
            await self._child.ready(self.is_ready, timeout_seconds=READY_SECONDS)

    async def stop(self) -> None:
        """Ask it to drain and leave (SIGTERM); killed if it takes too long."""
        if self._child is not None:
            await self._child.stop(with_signal=signal.SIGTERM, timeout_seconds=STOP_SECONDS)

    async def leave(self, *, seconds: float = STOP_SECONDS) -> int | None:
        """Ask it to leave (SIGTERM) and return its exit code; None if it has not left by then."""
        if self._child is None:
            raise RuntimeError(f"the worker {self.worker_id} does not run")
        return await self._child.leave(with_signal=signal.SIGTERM, timeout_seconds=seconds)

    async def kill(self) -> None:
        """End it, its zygote and its hosts with signal 9."""
        if self._child is not None:
            await self._child.kill()

    async def is_ready(self) -> bool:
        """Whether its readiness probe says yes."""
        status, _ = await self.probe("/ready")
        return status == 200  # noqa: PLR2004 - HTTP OK

    async def health(self) -> dict[str, Any]:
        """Return what `/health` says."""
        _, body = await self.probe("/health")
        answer: dict[str, Any] = json.loads(body)
        return answer

    async def probe(self, path: str) -> tuple[int, bytes]:
        """Return status and body of one of its HTTP resources; status 0 if it does not answer."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._health_port)
                try:
                    request = (
                        f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n"
                    )
                    writer.write(request.encode())
                    answer = await reader.read()
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError):
            return 0, b""
        head, _, body = answer.partition(b"\r\n\r\n")
        return (int(head.split(b" ", 2)[1]), body) if head else (0, b"")

    def hosts(self) -> list[psutil.Process]:
        """Return its session hosts: the children of its zygote."""
        children = [child for zygote in self.zygotes() for child in _children(zygote)]
        return [child for child in children if is_alive(child)]

    def zygotes(self) -> list[psutil.Process]:
        """Return its zygote (one, unless it is just being replaced)."""
        return [child for child in self.process.children() if not _looks_at_files(child)]

    def inspections(self) -> list[psutil.Process]:
        """Return what its files are looked at by: one process, from the first file on."""
        return [child for child in self.process.children() if _looks_at_files(child)]


def _children(process: psutil.Process) -> list[psutil.Process]:
    """Return what a process has started, nothing if it has ended meanwhile."""
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _looks_at_files(process: psutil.Process) -> bool:
    """Whether a process is no hosts' zygote but that of inspections, or has ended meanwhile."""
    try:
        return INSPECTION in process.cmdline()
    except psutil.NoSuchProcess:
        return True
