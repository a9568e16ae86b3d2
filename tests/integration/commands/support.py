"""A worker without hosts: everything between broker and database that commands pass through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from gateway_contracts import SessionState
from gateway_worker.broker import Broker, BrokerSettings, CommandConsumer
from gateway_worker.commands.attempts import Attempts, Patience
from gateway_worker.commands.dispatcher import HOLD_SECONDS, ROOM_SECONDS, Dispatcher
from gateway_worker.commands.execution import Executor
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.inbox import Inbox
from gateway_worker.errors import DependencyError
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.outbox.relay import Relay
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.sessions.hosting import HostLauncher, HostListener, HostSpec, SessionHost
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ports import CurrentQr, DeviceSnapshots, RouteCache, SessionObserver
from gateway_worker.sessions.send_journal import SendJournals, SendTrace, Unknown
from gateway_worker.sessions.surroundings import SessionLimits, Surroundings
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import WORKER

log = structlog.get_logger(__name__)


class NoHosts(HostLauncher, DeviceSnapshots, RouteCache, SessionObserver, SendJournals):
    """What only sessions with a connection to WhatsApp need: here none gets one."""

    are_needed = are_portable = False

    async def look_up(
        self,
        directory: Path,
        command_id: str,
        *,
        worker_id: str,
        epoch: int,
        began: datetime | None = None,
    ) -> SendTrace:
        """No host has kept one."""
        return Unknown(detail="there is no journal")

    async def launch(
        self,
        spec: HostSpec,
        listener: HostListener,
    ) -> SessionHost:
        """Start nothing."""
        raise DependencyError("no host can be started here")

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """There is no store."""
        return False

    async def holds(self, session_id: str, *, epoch: int) -> bool:
        """There is no copy."""
        return False

    async def restore(
        self,
        session_id: str,
        directory: Path,
        *,
        replace: bool = False,
    ) -> bool:
        """There is no copy."""
        return False

    async def delete(self, session_id: str) -> None:
        """There is no copy."""

    async def put(
        self, session_id: str, *, worker_id: str, state: SessionState, epoch: int
    ) -> None:
        """Nobody reads it."""

    async def put_qr(self, session_id: str, qr: CurrentQr | None) -> None:
        """Nobody reads it."""

    async def remove(self, session_id: str) -> None:
        """Nothing is there."""

    def host_restarted(self) -> None:
        """None has died."""

    def host_exited(self, *, expected: bool) -> None:
        """None has ended."""

    def library_stopped(self) -> None:
        """None runs."""

    def link_restored(self) -> None:
        """None was lost."""

    def message_arrived(self) -> None:
        """None arrives."""


@dataclass(slots=True, kw_only=True)
class Station:
    """One worker's way of a command, running.

    Attributes:
        settled: Type and outcome of each command, in the order of their ends.
    """

    worker_id: str
    broker: Broker
    manager: SessionManager
    dispatcher: Dispatcher
    consumer: CommandConsumer
    settled: list[tuple[str, str]] = field(default_factory=list)
    tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    stops: dict[str, asyncio.Event] = field(default_factory=dict)

    async def stop(self) -> None:
        """Leave in good order: give back what has not begun, finish what has."""
        await self.consumer.stop_intake()
        await self.dispatcher.give_back()
        for name in reversed(self.tasks):
            self.stops[name].set()
            await self.tasks[name]

    async def kill(self) -> None:
        """End at once; the connections close and nothing is settled any more."""
        for task in self.tasks.values():
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks.values())


@asynccontextmanager
async def working(
    database: Database,
    settings: BrokerSettings,
    directory: Path,
    *,
    worker_id: str = WORKER,
    capacity: int = 50,
    limits: SessionLimits | None = None,
    hold_seconds: float = HOLD_SECONDS,
    room_seconds: float = ROOM_SECONDS,
) -> AsyncIterator[Station]:
    """Run a worker; whatever still runs at the end is killed."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker.open(settings, worker_id=worker_id))
        relay = Relay(
            store=PostgresOutboxStore(database=database, worker_id=worker_id),
            publisher=broker.publisher,
        )
        recorder = Recorder(
            store=PostgresChangeStore(database=database, worker_id=worker_id), offer=relay.offer
        )
        around = _surroundings(database, broker, recorder, relay, directory, worker_id, limits)
        manager = SessionManager(around=around, capacity=capacity, peer_messages=broker.publisher)
        inbox = Inbox(store=PostgresInboxStore(database=database))
        settled: list[tuple[str, str]] = []
        executor = Executor(
            worker_id=worker_id,
            context=Context(manager=manager, messages=around.messages),
            attempts=Attempts(
                worker_id=worker_id,
                manager=manager,
                inbox=inbox,
                postponer=broker.publisher,
                clock=around.clock,
                patience=Patience(attempts=2, initial_seconds=0.1, maximum_seconds=0.1),
            ),
            recorder=recorder,
            observe=lambda kind, outcome, _times: settled.append((kind, outcome)),
        )
        dispatcher = Dispatcher(
            worker_id=worker_id,
            manager=manager,
            executor=executor,
            forwarder=Forwarder(publisher=broker.publisher),
            on_held=lambda held: consumer.widen(held),  # noqa: PLW0108 - made below
            hold_seconds=hold_seconds,
            room_seconds=room_seconds,
        )
        consumer = broker.consumer(dispatcher)
        manager.when_left(dispatcher.flush)
        station = Station(
            worker_id=worker_id,
            broker=broker,
            manager=manager,
            dispatcher=dispatcher,
            consumer=consumer,
            settled=settled,
        )
        await manager.resume()
        for service in (relay, recorder, inbox, manager, dispatcher, station.consumer):
            name = type(service).__name__
            station.stops[name] = asyncio.Event()
            station.tasks[name] = asyncio.create_task(service.run(station.stops[name]), name=name)
        stack.push_async_callback(around.background.cancel)
        stack.push_async_callback(station.kill)
        yield station


def _surroundings(
    database: Database,
    broker: Broker,
    recorder: Recorder,
    relay: Relay,
    directory: Path,
    worker_id: str,
    limits: SessionLimits | None,
) -> Surroundings:
    nothing = NoHosts()
    tenure = LeaseState()
    tenure.extend(float("inf"))
    return Surroundings(
        worker_id=worker_id,
        data_dir=directory,
        launcher=nothing,
        recorder=recorder,
        sessions=PostgresSessionStore(database=database),
        messages=PostgresMessageStore(database=database),
        bindings=broker.bindings,
        route_cache=nothing,
        snapshots=nothing,
        background=Background(name="background"),
        clock=SystemClock(),
        limits=limits or SessionLimits(connect_wait_seconds=0.5, restart_maximum_seconds=0.5),
        observer=nothing,
        journals=nothing,
        lease_state=tenure,
        relay=relay,
    )
