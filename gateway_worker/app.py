"""The composition root: builds every part, opens them in order, and closes them in reverse.

Read `run` from top to bottom for the start and from bottom to top for the end: at a stop signal the
consumer takes no more commands and what has begun is finished, the sessions end their hosts, the
recorder commits and the relay publishes what is left, and only then the connections close.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

import structlog

from gateway_contracts import WorkerDraining, WorkerLoad, WorkerStopped
from gateway_worker.broker.client import Broker
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.commands.dispatcher import Dispatcher
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.inbox import Inbox
from gateway_worker.config import Settings
from gateway_worker.errors import ConfigurationError, DependencyError, GatewayError
from gateway_worker.health import (
    CheckResult,
    HealthSidecar,
    Lifecycle,
    Phase,
    resources_section,
    sessions_section,
)
from gateway_worker.health.heartbeat import Heartbeat, LoadReport, Rate
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.log import configure_logging
from gateway_worker.metrics import Metrics, make_metrics
from gateway_worker.outbox.pruning import Pruner
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.outbox.relay import Relay
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.runtime.service import Service, running
from gateway_worker.runtime.signals import stop_on_signals
from gateway_worker.sessions.manager import SessionManager
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.sessions.surroundings import SessionLimits, Surroundings
from gateway_worker.storage.cache.client import Cache
from gateway_worker.storage.cache.routing import RedisRoutes
from gateway_worker.storage.cache.workers import RedisWorkers
from gateway_worker.storage.db.changes.store import PostgresChangeStore
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.inbox import PostgresInboxStore
from gateway_worker.storage.db.messages import PostgresMessageStore
from gateway_worker.storage.db.migrate import pending_revisions, upgrade
from gateway_worker.storage.db.outbox import PostgresOutboxStore
from gateway_worker.storage.db.sessions import PostgresSessionStore
from gateway_worker.storage.db.workers import PostgresWorkerStore
from gateway_worker.storage.objects.client import Objects
from gateway_worker.storage.objects.snapshots import device_snapshots
from gateway_worker.storage.objects.store import Bucket
from gateway_worker.version import VERSION
from gateway_worker.whatsapp.launcher import HostProcesses
from gateway_worker.whatsapp.memory import pss_bytes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What leads out of the process."""

    broker: Broker
    database: Database
    cache: Cache
    objects: Objects
    snapshots: DeviceSnapshots
    hosts: HostProcesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What works inside it."""

    background: Background
    recorder: Recorder
    relay: Relay
    pruner: Pruner
    inbox: Inbox
    manager: SessionManager
    dispatcher: Dispatcher
    consumer: CommandConsumer
    heartbeat: Heartbeat
    resources: ResourceMeter


async def run(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT, or until a part of it fails.

    Raises:
        ConfigurationError: It cannot start as it is configured.
        DependencyError: A service cannot be reached at the start.
        Exception: What a part failed with.
    """
    configure_logging(settings.log)
    _settle_memory()
    stop = asyncio.Event()
    clock = SystemClock()
    metrics = make_metrics(versions={"worker": VERSION, "neonize": version("neonize")})
    lifecycle = Lifecycle(clock=clock)
    sidecar = HealthSidecar(
        settings=settings.health,
        worker_id=settings.worker_id,
        metrics=metrics,
        lifecycle=lifecycle,
        clock=clock,
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(stop_on_signals(stop))
        await _start(stack, sidecar, stop=stop, grace_seconds=5)
        adapters = await _open(stack, settings)
        parts = _build(settings, adapters, metrics)
        _watch(sidecar, metrics, adapters, parts)

        stack.push_async_callback(parts.heartbeat.farewell, WorkerStopped)
        await _start(stack, parts.relay, stop=stop, grace_seconds=10)
        await _start(stack, parts.recorder, stop=stop, grace_seconds=10)
        await _start(stack, parts.pruner, stop=stop, grace_seconds=1)
        stack.push_async_callback(parts.background.join)
        await _start(stack, parts.inbox, stop=stop, grace_seconds=5)
        resumed = await parts.manager.resume()
        await _start(stack, parts.manager, stop=stop, grace_seconds=20)
        await _start(stack, parts.dispatcher, stop=stop, grace_seconds=settings.drain_seconds)
        await _start(stack, parts.consumer, stop=stop, grace_seconds=settings.drain_seconds)
        stack.push_async_callback(parts.dispatcher.give_back)
        stack.push_async_callback(parts.consumer.stop_intake)
        stack.push_async_callback(parts.heartbeat.farewell, WorkerDraining)
        await _start(stack, parts.heartbeat, stop=stop, grace_seconds=5)
        lifecycle.enter(Phase.RUNNING)
        log.info("worker.started", worker_id=settings.worker_id, sessions=resumed, version=VERSION)
        await stop.wait()
        lifecycle.enter(Phase.DRAINING)
        log.info("worker.draining")
    log.info("worker.stopped")


def _settle_memory() -> None:
    """Keep the collector from walking all that was imported, again and again, for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def check(settings: Settings) -> list[str]:
    """Reach for every service once; returns what is wrong, a line each."""
    configure_logging(settings.log)
    problems: list[str] = []
    openings: dict[str, Callable[[AsyncExitStack], Awaitable[object]]] = {
        "RabbitMQ": lambda stack: stack.enter_async_context(
            Broker.open(settings.broker, worker_id=settings.worker_id)
        ),
        "PostgreSQL": lambda stack: _open_database(stack, settings),
        "Redis": lambda stack: _reach_cache(stack, settings),
        "S3": lambda stack: stack.enter_async_context(Objects.open(settings.objects)),
    }
    for name, opening in openings.items():
        async with AsyncExitStack() as stack:
            try:
                await opening(stack)
            except GatewayError as error:
                problems.append(f"{name}: {error}")
    return problems


async def _start(
    stack: AsyncExitStack, service: Service, *, stop: asyncio.Event, grace_seconds: float
) -> None:
    """Run a service from here on until the stack is left."""
    name = type(service).__name__
    await stack.enter_async_context(
        running(service, worker_stop=stop, grace_seconds=grace_seconds, name=name)
    )


async def _open(stack: AsyncExitStack, settings: Settings) -> Adapters:
    """Open what leads outside; each fails with its own name if it cannot be reached."""
    database = await _open_database(stack, settings)
    objects = await stack.enter_async_context(Objects.open(settings.objects))
    return Adapters(
        database=database,
        cache=await stack.enter_async_context(Cache.open(settings.cache)),
        objects=objects,
        snapshots=device_snapshots(
            bucket=Bucket(objects=objects), keyring=settings.objects.keyring()
        ),
        broker=await stack.enter_async_context(
            Broker.open(settings.broker, worker_id=settings.worker_id)
        ),
        hosts=await stack.enter_async_context(HostProcesses(settings.whatsapp)),
    )


async def _open_database(stack: AsyncExitStack, settings: Settings) -> Database:
    """Open the database; its schema has to be the one that this release knows."""
    url = (settings.migrations_url or settings.database.url).get_secret_value()
    if settings.auto_migrate:
        await upgrade(url)
    elif missing := await pending_revisions(url):
        raise ConfigurationError(
            f"DATABASE_URL: the schema lacks {len(missing)} migrations; "
            "run `gateway-worker migrate`, or set AUTO_MIGRATE=true"
        )
    return await stack.enter_async_context(Database(settings=settings.database))


async def _reach_cache(stack: AsyncExitStack, settings: Settings) -> None:
    cache = await stack.enter_async_context(Cache.open(settings.cache))
    await cache.check()


def _build(settings: Settings, adapters: Adapters, metrics: Metrics) -> Parts:
    """Build what works inside, from the outbox up to the consumer and the heartbeat."""
    broker, worker_id = adapters.broker, settings.worker_id
    outbox = PostgresOutboxStore(database=adapters.database, worker_id=worker_id)
    events, commands = Rate(), Rate()

    def published(event_type: str) -> None:
        events.add()
        metrics.count_event(event_type)

    def settled(command_type: str, outcome: str, seconds: float) -> None:
        commands.add()
        metrics.observe_command(command_type, outcome, seconds)

    relay = Relay(store=outbox, publisher=broker.publisher, published=published)
    recorder = Recorder(
        store=PostgresChangeStore(database=adapters.database, worker_id=worker_id),
        offer=relay.offer,
        observe=metrics.observe_commit,
    )
    around = _surroundings(settings, adapters, recorder, metrics)
    manager = SessionManager(around=around, capacity=settings.capacity)
    inbox = Inbox(store=PostgresInboxStore(database=adapters.database))
    dispatcher = Dispatcher(
        worker_id=worker_id,
        context=Context(manager=manager, messages=around.messages),
        inbox=inbox,
        recorder=recorder,
        forwarder=Forwarder(publisher=broker.publisher),
        clock=around.clock,
        observe=settled,
    )
    consumer = broker.consumer(dispatcher)
    manager.watch_room(
        lambda has_room: consumer.resume_unassigned() if has_room else consumer.pause_unassigned()
    )
    resources = ResourceMeter(host_pids=lambda: _pids(adapters.hosts), pss_bytes=pss_bytes)
    report = LoadReport(
        worker_id=worker_id,
        carried=manager,
        resources=resources,
        queue_depth=broker.depth,
        outbox_depth=outbox.depth,
        commands=commands,
        events=events,
    )
    heartbeat = Heartbeat(
        worker_id=worker_id,
        report=report,
        events=broker.publisher,
        interval_seconds=settings.heartbeat_seconds,
        on_beat=_on_beat(adapters, worker_id),
    )
    return Parts(
        background=around.background,
        recorder=recorder,
        relay=relay,
        pruner=Pruner(store=outbox, keep_seconds=settings.event_retention_seconds),
        inbox=inbox,
        manager=manager,
        dispatcher=dispatcher,
        consumer=consumer,
        heartbeat=heartbeat,
        resources=resources,
    )


def _surroundings(
    settings: Settings, adapters: Adapters, recorder: Recorder, metrics: Metrics
) -> Surroundings:
    return Surroundings(
        worker_id=settings.worker_id,
        data_dir=settings.data_dir,
        launcher=adapters.hosts,
        recorder=recorder,
        sessions=PostgresSessionStore(database=adapters.database),
        messages=PostgresMessageStore(database=adapters.database),
        routes=adapters.broker.routes,
        routing=RedisRoutes(cache=adapters.cache),
        snapshots=adapters.snapshots,
        background=Background(name="background"),
        clock=SystemClock(),
        limits=SessionLimits(),
        host_restarted=metrics.host_restarts.inc,
    )


def _pids(hosts: HostProcesses) -> tuple[int, ...]:
    zygote = hosts.fork_server_pid
    return () if zygote is None else (zygote, *hosts.host_pids)


def _on_beat(adapters: Adapters, worker_id: str) -> Callable[[WorkerLoad], Awaitable[None]]:
    rows = PostgresWorkerStore(database=adapters.database, worker_id=worker_id)
    registry = RedisWorkers(cache=adapters.cache)

    async def beat(load: WorkerLoad) -> None:
        await registry.beat(load)
        if not await rows.beat():
            await rows.register(version=load.version, capacity=load.capacity)

    return beat


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """A dependency as the probes ask it."""

    name: str
    required: bool
    ask: Callable[[], Awaitable[None]]

    async def check(self) -> CheckResult:
        """Ask once."""
        try:
            await self.ask()
        except GatewayError as error:
            return CheckResult(ok=False, detail=str(error))
        return CheckResult(ok=True)


def _watch(sidecar: HealthSidecar, metrics: Metrics, adapters: Adapters, parts: Parts) -> None:
    """Let the probes ask the dependencies, and the metrics follow what is counted elsewhere."""

    async def ask_broker() -> None:
        health = adapters.broker.check()
        if not health.ready:
            raise DependencyError("; ".join(health.problems))

    async def ask_database() -> None:
        # Without the database no command can be entered: leave them to the broker meanwhile.
        try:
            await adapters.database.check()
        except DependencyError:
            parts.consumer.pause()
            raise
        parts.consumer.resume()

    for name, required, ask in (
        ("rabbitmq", True, ask_broker),
        ("postgresql", True, ask_database),
        ("redis", False, adapters.cache.check),
        ("s3", False, adapters.objects.check),
    ):
        sidecar.add_check(_Check(name=name, required=required, ask=ask))
    sidecar.add_section("sessions", sessions_section(parts.manager))
    sidecar.add_section("resources", resources_section(parts.resources))
    _follow(metrics, adapters, parts)


def _follow(metrics: Metrics, adapters: Adapters, parts: Parts) -> None:
    stats = adapters.broker.stats
    metrics.follow(metrics.reconnects.labels("rabbitmq"), lambda: stats().reconnects)
    metrics.follow(metrics.returned_publishes, lambda: stats().returned + stats().refused)
    metrics.follow(metrics.publish_timeouts, lambda: stats().publish_timeouts)
    metrics.follow(metrics.settle_timeouts, lambda: stats().settle_failures)
    metrics.follow(metrics.redeliveries, lambda: stats().reattached + stats().acknowledged_again)
    metrics.follow(metrics.dead_letters, lambda: stats().dead_lettered)
    metrics.capacity.set(parts.manager.capacity)

    def gauges() -> None:
        usage = parts.resources.last
        metrics.set_sessions(parts.manager.states())
        metrics.hosts.set(len(adapters.hosts.host_pids))
        metrics.commands_waiting.set(parts.dispatcher.waiting)
        metrics.outbox_depth.set(parts.relay.held)
        metrics.worker_memory_bytes.set(usage.worker_rss_bytes)
        metrics.hosts_memory_bytes.set(usage.hosts_pss_bytes)

    metrics.on_refresh(gauges)
