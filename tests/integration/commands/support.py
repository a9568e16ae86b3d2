"""A worker without hosts: everything between broker and database that commands pass through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from gateway_contracts import CommandFailed, ErrorCode
from gateway_worker.broker import Broker, BrokerSettings, CommandConsumer
from gateway_worker.commands.attempts import RetryPolicy
from gateway_worker.commands.build import CommandLimits, CommandPorts, build_commands
from gateway_worker.commands.call_answers import answer_to
from gateway_worker.commands.deadlines import HOLD_SECONDS
from gateway_worker.commands.dispatcher import Dispatcher
from gateway_worker.commands.waiting_creations import ROOM_SECONDS
from gateway_worker.devkit.backend import Backend
from gateway_worker.errors import DependencyError
from gateway_worker.history.reading import History
from gateway_worker.outbox.build import Outbox, build_outbox
from gateway_worker.sessions.build import SessionPorts
from gateway_worker.sessions.hosting import HostLauncher, HostListener, HostSpec, SessionHost
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.sessions.send_journal import SendJournals, SendTrace, Unknown
from gateway_worker.storage.db import Database
from gateway_worker.storage.db.build import Stores, build_stores
from gateway_worker.tenants.quotas import TenantShares
from gateway_worker.tenants.verifying import Verifier
from tests.integration.storage.db.support import WORKER
from tests.support.ports import QuietObserver, QuietRouteCache, UnaskedLauncher, sessions_on

log = structlog.get_logger(__name__)


class NoHosts(HostLauncher, DeviceSnapshots, QuietRouteCache, QuietObserver, SendJournals):
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


async def code_of(backend: Backend, command_id: str) -> ErrorCode | str:
    """Return how a command ended."""
    outcome = await backend.outcome(command_id)
    return outcome.data.error.code if isinstance(outcome, CommandFailed) else "succeeded"


@asynccontextmanager
async def working(  # noqa: PLR0913 - as much as a test may want to be otherwise
    database: Database,
    settings: BrokerSettings,
    directory: Path,
    *,
    worker_id: str = WORKER,
    capacity: int = 50,
    limits: SessionLimits | None = None,
    hold_seconds: float = HOLD_SECONDS,
    room_seconds: float = ROOM_SECONDS,
    verifier: Verifier | None = None,
    shares: TenantShares | None = None,
    most_waiting: int = 0,
) -> AsyncIterator[Station]:
    """Run a worker; whatever still runs at the end is killed."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker.open(settings, worker_id=worker_id))
        stores = build_stores(database, worker_id=worker_id)
        outbox = build_outbox(
            changes=stores.changes, events=stores.outbox, publisher=broker.publisher
        )
        sessions = sessions_on(
            _ports(stores, broker, outbox),
            worker_id=worker_id,
            directory=directory,
            capacity=capacity,
            limits=limits or SessionLimits(connect_wait_seconds=0.5, restart_maximum_seconds=0.5),
        )
        settled: list[tuple[str, str]] = []
        commands = build_commands(
            CommandPorts(
                entries=stores.inbox,
                deferred=stores.deferred,
                bulks=stores.bulks,
                messages=stores.messages,
                catalog=stores.catalog,
                recorder=outbox.recorder,
                postponer=broker.publisher,
                forwarder=broker.publisher,
                history=History(store=stores.history),
                observe=lambda kind, outcome, _times: settled.append((kind, outcome)),
            ),
            worker_id=worker_id,
            manager=sessions.manager,
            clock=sessions.clock,
            retry_policy=RetryPolicy(attempts=2, initial_seconds=0.1, maximum_seconds=0.1),
            limits=CommandLimits(
                hold_seconds=hold_seconds, room_seconds=room_seconds, shares=shares
            ),
        )
        manager, dispatcher = sessions.manager, commands.dispatcher
        consumer = broker.consumer(dispatcher, verifier=verifier, most_waiting=most_waiting)
        dispatcher.watch_held(consumer.widen)
        station = Station(
            worker_id=worker_id,
            broker=broker,
            manager=manager,
            dispatcher=dispatcher,
            consumer=consumer,
            settled=settled,
        )
        await manager.resume()
        for service in (
            outbox.relay,
            outbox.recorder,
            commands.inbox,
            manager,
            dispatcher,
            commands.feeder,
            commands.bulk_feeder,
            consumer,
        ):
            name = type(service).__name__
            station.stops[name] = asyncio.Event()
            station.tasks[name] = asyncio.create_task(service.run(station.stops[name]), name=name)
        stack.push_async_callback(sessions.background.cancel)
        stack.push_async_callback(station.kill)
        yield station


def _ports(stores: Stores, broker: Broker, outbox: Outbox) -> SessionPorts:
    nothing = NoHosts()
    return SessionPorts(
        launcher=nothing,
        spools=UnaskedLauncher(),
        recorder=outbox.recorder,
        relay=outbox.relay,
        sessions=stores.sessions,
        bindings=broker.bindings,
        route_cache=nothing,
        snapshots=nothing,
        journals=nothing,
        peer_messages=broker.publisher,
        observer=nothing,
        answer_call=answer_to,
        past=stores.past,
    )
