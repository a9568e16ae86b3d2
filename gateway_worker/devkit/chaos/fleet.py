"""The workers, and what an orchestrator does for them: whoever ended is started again."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.output import Output
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.host_protocol.layout import LOCK_NAME

_LOOK_SECONDS = 0.5
_MEBIBYTE = 1_048_576


class ManagedWorker:
    """One worker of the fleet.

    Args:
        process: The worker.
        output: What it prints.
        journal: Is told when it ends by itself.
    """

    def __init__(self, *, process: WorkerProcess, output: Output, journal: Journal) -> None:
        self.process = process
        self.output = output
        self._journal = journal
        self._wanted = False
        self._is_ours = False  # its end

    @property
    def name(self) -> str:
        """Its WORKER_ID."""
        return self.process.worker_id

    def hosts(self) -> dict[str, psutil.Process]:
        """Return the running session hosts by session. Reads /proc; call it in a thread."""
        found: dict[str, psutil.Process] = {}
        if not self.process.is_running:
            return found
        with contextlib.suppress(psutil.Error, RuntimeError):
            holders = _lock_holders(self.process.data_dir / "sessions")
            for host in self.process.hosts():
                if (session_id := holders.get(host.pid)) is not None:
                    found[session_id] = host
        return found

    def memory_mib(self) -> int:
        """Return how much memory its own process has, without its hosts; 0 if it does not run."""
        with contextlib.suppress(psutil.Error, RuntimeError):
            return int(self.process.process.memory_info().rss) // _MEBIBYTE
        return 0

    async def start(self) -> None:
        """Want it, and wait until it is ready for the first time."""
        await self.process.start()
        self._wanted = True

    def want(self) -> None:
        """Have it started again, by the next look."""
        self._wanted = True

    def unwant(self) -> None:
        """Leave it alone when it ends, which is meant to happen."""
        self._wanted = False
        self._is_ours = True

    async def kill(self) -> None:
        """Kill it with its fork server and its hosts."""
        self._is_ours = True
        await self.process.kill()

    def kill_main(self) -> None:
        """Kill its own process only; the rest has to notice."""
        self._is_ours = True
        with contextlib.suppress(psutil.Error, RuntimeError):
            self.process.process.kill()

    def signal_main(self, which: signal.Signals) -> None:
        """Send a signal to its own process."""
        with contextlib.suppress(psutil.Error, RuntimeError):
            self.process.process.send_signal(which)

    def signal_all(self, which: signal.Signals) -> None:
        """Send a signal to it, its fork server and its hosts."""
        with contextlib.suppress(psutil.Error, RuntimeError):
            head = self.process.process
            for member in (head, *head.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    member.send_signal(which)

    async def keep(self) -> None:
        """Start it whenever it is wanted and does not run, for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._wanted or self.process.is_running:
                continue
            if not self._is_ours:
                self._journal.surprise(f"{self.name} ended by itself")
            self._is_ours = False
            await self.process.start(wait_ready=False)


class Fleet:
    """All workers; made by `open`."""

    def __init__(self, workers: Sequence[ManagedWorker]) -> None:
        self.workers = tuple(workers)

    @classmethod
    @asynccontextmanager
    async def open(cls, workers: Sequence[ManagedWorker]) -> AsyncIterator["Fleet"]:
        """Start all at once and keep them running; killed in the end."""
        fleet = cls(workers)
        try:
            await asyncio.gather(*(member.start() for member in workers))
            keepers = [
                asyncio.create_task(member.keep(), name=f"keeper:{member.name}")
                for member in workers
            ]
            try:
                yield fleet
            finally:
                for keeper in keepers:
                    keeper.cancel()
                await asyncio.gather(*keepers, return_exceptions=True)
        finally:
            for member in workers:
                member.signal_all(signal.SIGCONT)
            await asyncio.gather(*(member.kill() for member in workers))

    @property
    def memory(self) -> str:
        """How much memory each worker has, without its hosts."""
        return ", ".join(f"{member.memory_mib()}" for member in self.workers) + " MiB"

    async def host_of(
        self, session_id: str, *, seconds: float = 2.0
    ) -> tuple[ManagedWorker, psutil.Process] | None:
        """Return the session's host and its worker; None if there is none for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for member in self.workers:
                hosts = await asyncio.to_thread(member.hosts)
                if session_id in hosts:
                    return member, hosts[session_id]
            await asyncio.sleep(0.2)
        return None

    async def restore(self) -> None:
        """Want all of them, and wait until all are ready.

        Raises:
            TimeoutError: One of them does not get ready.
        """
        for member in self.workers:
            member.signal_all(signal.SIGCONT)
            member.want()
        async with asyncio.timeout(90):
            await asyncio.gather(*(_until_ready(member) for member in self.workers))


async def _until_ready(member: ManagedWorker) -> None:
    while not await member.process.is_ready():  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(_LOOK_SECONDS)


def _lock_holders(sessions: Path) -> dict[int, str]:
    """Return by whom each session's directory is locked; others may not look into a host."""
    places = {}
    for lock in sessions.glob(f"*/{LOCK_NAME}"):
        with contextlib.suppress(OSError):
            places[lock.stat().st_ino] = lock.parent.name
    found = {}
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and (name := places.get(int(fields[5].rpartition(":")[2]))):
            found[int(fields[4])] = name
    return found
