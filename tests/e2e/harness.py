"""A gateway as its users meet it: a worker process, a backend, simulated phones."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateway_contracts import (
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    MessageData,
    MessageSend,
    MessageSendData,
    OnUncertain,
    PairByCode,
    ReplyTarget,
    SentInfo,
    SessionCreate,
    SessionCreateData,
    SessionDelete,
    SessionEventEnvelope,
    SessionQr,
    SessionState,
    SessionStatus,
    TextToSend,
)
from gateway_worker.devkit import harness
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.harness import BackendOptions
from gateway_worker.devkit.services.process import Spawn
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from tests.support.event_schemas import faults_in
from tests.support.eventually import eventually
from tests.support.planted import ids_of, private_in
from tests.support.warm_workers import warm

WORKER = "e2e-worker"
SHOP = "12025550100"
ADA = "12025550101"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Everything a user story needs.

    Attributes:
        workers: By their names.
        environment: The settings that lead straight to services and sandbox.
    """

    workers: Mapping[str, WorkerProcess]
    backend: Backend
    sandbox: Sandbox
    environment: Mapping[str, str]

    @property
    def worker(self) -> WorkerProcess:
        """The first of the workers."""
        return next(iter(self.workers.values()))

    async def restored(self) -> None:
        """Have all workers run, also after a test that has failed, and without sessions."""
        for worker in self.workers.values():
            if not worker.is_running:
                await worker.start(wait_ready=False)
        for worker in self.workers.values():
            await eventually(worker.is_ready, timeout_seconds=60, reason="the worker is ready")
            await eventually(partial(_is_empty, worker), reason="no host runs")

    async def forget(self, session_id: str) -> None:
        """Delete a session, if it is there, and its host; all workers have to run for that."""
        for worker in self.workers.values():
            if not worker.is_running:
                await worker.start()
        await self.backend.request(
            SessionDelete(source=self.backend.source, subject=session_id), seconds=60
        )

    async def told(self, session_id: str, message_id: str) -> MessageData:
        """Return what the backend is told of a message, as one or as a change of one."""

        def data_of(event: SessionEventEnvelope) -> MessageData | None:
            data = getattr(event, "data", None)
            is_it = isinstance(data, MessageData) and data.message_id == message_id
            return data if is_it else None

        event = await self.backend.expect(
            SessionEventEnvelope, session_id, lambda event: data_of(event) is not None
        )
        found = data_of(event)
        assert found is not None
        return found

    async def succeed(self, command: CommandEnvelope, *, seconds: float = 30) -> Any:
        """Run a command and return its result; any other end fails the test."""
        outcome = await self.backend.request(command, seconds=seconds)
        assert isinstance(outcome, CommandSucceeded), outcome
        return outcome.data.result

    async def fail(self, command: CommandEnvelope, *, seconds: float = 30) -> CommandFailed:
        """Run a command that has to fail and return the event that says so."""
        outcome = await self.backend.request(command, seconds=seconds)
        assert isinstance(outcome, CommandFailed), outcome
        return outcome

    async def create(
        self, session_id: str, *, pair_by_code_of: str | None = None, **more: Any
    ) -> None:
        """Create a session."""
        if pair_by_code_of:
            more["pairing"] = PairByCode(phone_number=pair_by_code_of)
        data = SessionCreateData(**more)
        await self.succeed(SessionCreate(source=self.backend.source, subject=session_id, data=data))

    async def link(self, session_id: str, phone: Phone, **more: Any) -> None:
        """Create a session, scan its QR code and wait until it is connected."""
        await self.create(session_id, **more)
        qr = await self.backend.expect(SessionQr, session_id)
        await phone.scan(qr.data.code)
        await self.until(session_id, SessionState.CONNECTED)

    async def until(
        self, session_id: str, state: SessionState, *, after: int = 0, seconds: float = 30
    ) -> SessionStatus:
        """Wait for a session to announce a state."""
        return await self.backend.expect(
            SessionStatus,
            session_id,
            lambda event: event.data.state is state,
            after=after,
            seconds=seconds,
        )

    def text(self, session_id: str, to: str, text: str, **more: Any) -> MessageSend:
        """Return the command that sends a text."""
        mentions = more.pop("mentions", ())
        return MessageSend(
            source=self.backend.source,
            subject=session_id,
            data=MessageSendData(to=to, content=TextToSend(text=text, mentions=mentions), **more),
        )

    def document(self, session_id: str, to: str, url: str) -> MessageSend:
        """Return the command that sends a file from the web."""
        content = {"kind": "document", "file_name": "a", "media": {"source": "url", "url": url}}
        data = MessageSendData.model_validate({"to": to, "content": content})
        return MessageSend(source=self.backend.source, subject=session_id, data=data)

    async def send(self, session_id: str, to: str, text: str, **more: Any) -> SentInfo:
        """Send a text and return what WhatsApp said."""
        result = await self.succeed(self.text(session_id, to, text, **more))
        assert isinstance(result, SentInfo)
        return result


def _is_empty(worker: WorkerProcess) -> bool:
    return not worker.hosts()


@asynccontextmanager
async def open_gateway(
    sandbox: Sandbox,
    environment: Mapping[str, str],
    directory: Path,
    *,
    workers: Sequence[str] = (WORKER,),
    reroute: harness.Reroute = harness.straight,
    durable: bool = False,
    started: bool = True,
    spawn: Spawn = warm,
) -> AsyncIterator[Gateway]:
    """Make workers and a backend on these settings, and start the workers.

    By the end of the stories their logs say nothing of anybody, and what they have told fits its
    schemas, or the last story fails.
    """
    async with harness.open_gateway(
        environment,
        sandbox,
        workers,
        directory=directory,
        reroute=reroute,
        backend=BackendOptions(name="e2e", durable=durable),
    ) as opened:
        for worker in opened.workers.values():
            worker.spawn = spawn
        gateway = Gateway(
            workers=opened.workers,
            backend=opened.backend,
            sandbox=sandbox,
            environment=opened.settings,
        )
        if started:
            await opened.start()
        yield gateway
        assert faults_in(opened.backend.arrivals) == []
        for worker in opened.workers.values():
            if worker.log_path.is_file():
                log = worker.log_path.read_text()
                assert private_in(log, ids_of(sandbox.phones), opened.backend.arrivals) == set()


@asynccontextmanager
async def open_worker(
    environment: Mapping[str, str], directory: Path, *, name: str = WORKER, spawn: Spawn = warm
) -> AsyncIterator[WorkerProcess]:
    """Make a worker without a backend; the test starts it."""
    async with harness.open_workers(environment, directory=directory) as workers:
        worker = workers.add(name)
        worker.spawn = spawn
        yield worker


__all__ = [
    "ADA",
    "SHOP",
    "ErrorCode",
    "Gateway",
    "OnUncertain",
    "ReplyTarget",
]
