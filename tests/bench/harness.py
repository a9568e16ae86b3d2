"""What all benches stand on: durable services, sandbox and worker as processes, a backend."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from gateway_contracts import (
    MessageSend,
    MessageSendData,
    SessionCreate,
    SessionQr,
    SessionState,
    SessionStatus,
    TextToSend,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.harness import BackendOptions, open_gateway
from gateway_worker.devkit.sandbox_process import SandboxProcess
from gateway_worker.devkit.services import LaunchOptions, local_services
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.runtime.memory import pss_bytes
from tests.bench.cpu import cpu_seconds, per_message
from tests.bench.load import LoadClient, Outcome, command_frames

MIB = 2**20
LINK_AT_ONCE = 4
MEDIA_MIB = 400
SUCCEEDED = "wa.command.succeeded.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A session of the gateway and the number of the simulated phone that it is linked to."""

    session_id: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RingRun:
    """What it was to send so many messages round a ring.

    Attributes:
        per_s: Messages per second.
        cpu: CPU milliseconds per message, of each part.
    """

    per_s: float
    cpu: dict[str, float]


@dataclass(slots=True, kw_only=True)
class BenchHarness:
    """Everything up, and the sessions linked so far."""

    directory: Path
    settings: Mapping[str, str]
    sandbox: SandboxProcess
    worker: WorkerProcess
    backend: Backend
    load: LoadClient
    stack: AsyncExitStack
    accounts: list[Account]

    def pss_mib(self) -> float:
        """Return the memory of zygote and hosts together.

        Raises:
            PermissionError: They may not be looked into by anybody but root.
        """
        processes = [*self.worker.zygotes(), *self.worker.hosts()]
        sizes = [pss_bytes(process.pid) for process in processes]
        if processes and not any(sizes):
            raise PermissionError("only root may measure the memory of hosts: run this as root")
        return sum(size or 0 for size in sizes) / MIB

    def worker_rss_mib(self) -> float:
        """Return the memory of the worker's own process."""
        return self.worker.process.memory_info().rss / MIB

    def command(self, sender: int, text: str) -> MessageSend:
        """Return the command by which a session writes to the next one of the ring."""
        to = self.accounts[(sender + 1) % len(self.accounts)].number
        return MessageSend(
            source=self.backend.source,
            subject=self.accounts[sender].session_id,
            data=MessageSendData(to=to, content=TextToSend(text=text)),
        )

    def frames(self, commands: Sequence[MessageSend]) -> list[bytes]:
        """Return commands as they are written to the broker."""
        topology, user = self.load.topology, self.load.user
        return [command_frames(command, topology=topology, user=user) for command in commands]

    async def send_ring(self, count: int) -> RingRun:
        """Let each session send `count` messages to the next."""
        commands = [
            self.command(sender, f"message {number}")
            for number in range(count)
            for sender in range(len(self.accounts))
        ]
        outcomes = Outcomes(self.load, {command.id for command in commands})
        frames = self.frames(commands)
        before, started = cpu_seconds(), time.monotonic()
        self.load.publish(frames)
        await outcomes.all(seconds=300)
        seconds = time.monotonic() - started
        outcomes.check()
        return RingRun(
            per_s=len(commands) / seconds,
            cpu=per_message(before, cpu_seconds(), len(commands)),
        )

    async def wait_connected(self, after: int, seconds: float = 120) -> None:
        """Return when every session has connected again."""
        for account in self.accounts:
            await self.backend.expect(
                SessionStatus,
                account.session_id,
                lambda event: event.data.state is SessionState.CONNECTED,
                after=after,
                seconds=seconds,
            )

    async def next_status(
        self, state: SessionState, *, after: int, session_id: str | None = None
    ) -> SessionStatus:
        """Return the first status event with a state, of one session or of any."""
        while True:
            for status in self.statuses(after=after):
                if status.data.state is state and session_id in {None, status.subject}:
                    return status
            await self.backend.changed()

    def statuses(self, *, after: int) -> list[SessionStatus]:
        """Return the status events among the arrivals from an index on."""
        events = [arrival.event for arrival in self.backend.arrivals[after:]]
        return [event for event in events if isinstance(event, SessionStatus)]


class Outcomes:
    """Waits for the ends of many commands and keeps when each came.

    Attributes:
        at: When each command ended, by the monotonic clock.
        failed: The sessions of those that failed, by the command's id.
    """

    def __init__(self, load: LoadClient, ids: set[str]) -> None:
        self._open = set(ids)
        self._done = asyncio.Event()
        self.at: dict[str, float] = {}
        self.failed: dict[str, str] = {}
        load.on_outcome(self._on_outcome)

    async def all(self, *, seconds: float) -> None:
        """Return when every command has ended; raises TimeoutError if one is missing."""
        async with asyncio.timeout(seconds):
            await self._done.wait()

    def check(self) -> None:
        """Raise if a command has failed."""
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} commands failed: {list(self.failed)[:3]}")

    def _on_outcome(self, outcome: Outcome) -> None:
        command_id = outcome.correlationid
        if command_id is None or command_id not in self._open:
            return
        self._open.discard(command_id)
        self.at[command_id] = time.monotonic()
        if outcome.type != SUCCEEDED:
            self.failed[command_id] = outcome.subject
        if not self._open:
            self._done.set()


@asynccontextmanager
async def open_harness(
    *,
    capacity: int,
    wanted: Sequence[str] = ("session.#", "worker.#"),
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[BenchHarness]:
    """Bring everything up with empty stores; data is synced to disk as in production.

    Args:
        capacity: For how many sessions the worker has room.
        wanted: Patterns of the events that `backend` takes; `load` has the others.
        settings: More of the worker's.
    """
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        await asyncio.to_thread(directory.chmod, 0o711)  # PostgreSQL's own user passes through
        services = await stack.enter_async_context(
            local_services(LaunchOptions(data_directory=directory / "services"))
        )
        sandbox = await stack.enter_async_context(
            # What is gone soon is never written to this disk, which is not WhatsApp's.
            SandboxProcess.start(directory / "sandbox", lazy_phones=True, media_mib=MEDIA_MIB)
        )
        gateway = await stack.enter_async_context(
            open_gateway(
                services.addresses.environment(),
                sandbox,
                ("bench-worker",),
                {
                    "CAPACITY": str(capacity),
                    "PACING_PROFILE": "off",
                    # Where there are tenants, the one backend here commands all of them.
                    "TENANT_OPERATORS": URL(services.addresses.amqp_url).user or "guest",
                    **(settings or {}),
                },
                directory=directory,
                backend=BackendOptions(name="bench", wanted=wanted),
            )
        )
        stack.push_async_callback(gateway.worker.stop)
        await gateway.start()
        load = await stack.enter_async_context(LoadClient.open(services.addresses.amqp_url))
        yield BenchHarness(
            directory=directory,
            settings=gateway.settings,
            sandbox=sandbox,
            worker=gateway.worker,
            backend=gateway.backend,
            load=load,
            stack=stack,
            accounts=[],
        )


async def create_sessions(harness: BenchHarness, names: Sequence[str]) -> list[tuple[Account, str]]:
    """Create sessions and phones; returns each with its QR code, not scanned yet."""
    created = []
    for index, name in enumerate(names):
        phone = await harness.sandbox.client.add_phone(f"1202555{index:04d}", push_name=f"P{index}")
        account = Account(session_id=name, number=phone.number)
        await harness.backend.publish(
            SessionCreate(source=harness.backend.source, subject=account.session_id)
        )
        created.append(account)
    codes = []
    for account in created:
        event = await harness.backend.expect(SessionQr, account.session_id, seconds=60)
        codes.append((account, event.data.code))
    return codes


async def link_sessions(harness: BenchHarness, created: Sequence[tuple[Account, str]]) -> None:
    """Scan every code and wait until all sessions are connected."""
    gate = asyncio.Semaphore(LINK_AT_ONCE)

    async def link(account: Account, code: str) -> None:
        async with gate:
            await harness.sandbox.client.scan(account.number, code)
            await harness.backend.expect(
                SessionStatus,
                account.session_id,
                lambda event: event.data.state is SessionState.CONNECTED,
            )

    async with asyncio.TaskGroup() as tasks:
        for account, code in created:
            tasks.create_task(link(account, code))
    harness.accounts.extend(account for account, _ in created)
