"""What the worker is made of: the adapters that lead outside, the parts that work inside.

`open_adapters` and `build_parts` only make and join things; what starts when is `app.py`'s.
"""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from gateway_contracts import WorkerLoad
from gateway_worker.broker.client import Broker
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.dispatcher import Dispatcher
from gateway_worker.commands.execution import Executor
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.replaying import Replays
from gateway_worker.config import Settings
from gateway_worker.errors import ConfigurationError, DependencyError
from gateway_worker.health.capacity import CapacityWatch
from gateway_worker.health.heartbeat import Heartbeat, LoadReport
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.observation import Counts
from gateway_worker.outbox.pruning import Pruner, Shelf
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.outbox.relay import Relay
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.budget import StopBudget
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.inbound.orphan_spools import OrphanSpools
from gateway_worker.sessions.inbound.quarantine_retry import QuarantineRetries
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership.disk import Disk
from gateway_worker.sessions.ownership.drain import Drain
from gateway_worker.sessions.ownership.lease import LeaseKeeper
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ownership.takeover import FailoverService
from gateway_worker.sessions.ports import SessionStore
from gateway_worker.sessions.store.snapshot_schedule import SnapshotSchedule, SnapshotTiming
from gateway_worker.sessions.surroundings import SessionLimits, Surroundings
from gateway_worker.storage.cache.client import Cache
from gateway_worker.storage.cache.route_cache import RedisRouteCache
from gateway_worker.storage.cache.workers import RedisWorkers
from gateway_worker.storage.db.changes.store import PostgresChangeStore
from gateway_worker.storage.db.copies import PostgresCopyRegister
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.fitness import UnfitDatabaseError
from gateway_worker.storage.db.fleet import fleet_id
from gateway_worker.storage.db.inbox import PostgresInboxStore
from gateway_worker.storage.db.messages import PostgresMessageStore
from gateway_worker.storage.db.migrate import pending_revisions, upgrade
from gateway_worker.storage.db.outbox import PostgresOutboxStore
from gateway_worker.storage.db.retention import PostgresHistory
from gateway_worker.storage.db.sessions import PostgresSessionStore
from gateway_worker.storage.db.workers import PostgresWorkerStore
from gateway_worker.storage.objects.client import Objects
from gateway_worker.storage.objects.snapshots import Snapshots, device_snapshots
from gateway_worker.storage.objects.store import Bucket
from gateway_worker.version import VERSION
from gateway_worker.whatsapp.launcher import HostProcesses

log = structlog.get_logger(__name__)
Entered = TypeVar("Entered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What leads out of the process.

    Attributes:
        lease_database: The database once more, with connections that nothing else uses: the lease
            must not wait for one behind everything else.
    """

    broker: Broker
    database: Database
    lease_database: Database
    fleet: str
    cache: Cache
    objects: Objects
    snapshots: Snapshots
    hosts: HostProcesses


class WorkerPresence:
    """Shows in the cache that this worker lives."""

    def __init__(
        self, *, worker_id: str, adapters: Adapters, sessions: SessionStore, routes: RedisRouteCache
    ) -> None:
        self._worker_id = worker_id
        self._registry = RedisWorkers(cache=adapters.cache)
        self._sessions = sessions
        self._routes = routes

    async def beat(self, load: WorkerLoad) -> None:
        """Renew it; a cache that knew nothing of us gets the routes of all our sessions."""
        if await self._registry.beat(load):
            await self._routes.rebuild(await self._sessions.owned_by(self._worker_id))

    async def leave(self) -> None:
        """Take it away, in good order; a cache that is away forgets us by itself."""
        await self._registry.remove(self._worker_id)


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
    capacity: CapacityWatch
    resources: ResourceMeter
    report: LoadReport
    route_cache: RedisRouteCache
    workers: WorkerPresence
    lease: LeaseKeeper
    leases: PostgresWorkerStore
    failover: FailoverService
    orphan_spools: OrphanSpools
    quarantine_retries: QuarantineRetries
    copies: SnapshotSchedule
    drain: Drain


async def open_adapters(stack: AsyncExitStack, settings: Settings, budget: StopBudget) -> Adapters:
    """Open what leads outside; each fails with its own name if it cannot be reached.

    Args:
        stack: Closes it all.
        settings: Where it is.
        budget: How long closing may take.
    """

    async def enter(context: AbstractAsyncContextManager[Entered], name: str) -> Entered:
        return await stack.enter_async_context(budget.closing(context, name))

    database = await until_answered(
        lambda: open_database(stack, settings, budget),
        name="database.open",
        within_seconds=settings.database.startup_timeout_seconds,
    )
    fleet = await until_answered(lambda: fleet_id(database), name="fleet.id")
    objects = await enter(Objects.open(settings.objects), "S3")
    few = settings.database.model_copy(update={"pool_size": 1, "pool_overflow": 1})
    return Adapters(
        database=database,
        lease_database=await enter(Database(settings=few), "PostgreSQL"),
        fleet=fleet,
        cache=await enter(Cache.open(settings.cache), "Redis"),
        objects=objects,
        snapshots=device_snapshots(
            bucket=Bucket(objects=objects),
            keyring=settings.objects.keyring(),
            register=PostgresCopyRegister(database=database),
            fleet=fleet,
        ),
        broker=await enter(Broker.open(settings.broker, worker_id=settings.worker_id), "RabbitMQ"),
        hosts=await enter(HostProcesses(settings.whatsapp), "hosts"),
    )


async def open_database(stack: AsyncExitStack, settings: Settings, budget: StopBudget) -> Database:
    """Open the database; it has to be what this release needs, which is told by name."""
    url = (settings.migrations_url or settings.database.url).get_secret_value()
    if settings.auto_migrate:
        await upgrade(url)
    elif missing := await pending_revisions(url):
        raise ConfigurationError(
            f"DATABASE_URL: the schema lacks {len(missing)} migrations; "
            "run `gateway-worker migrate`, or set AUTO_MIGRATE=true"
        )
    async with AsyncExitStack() as attempt:
        opening = budget.closing(Database(settings=settings.database), "PostgreSQL")
        database = await attempt.enter_async_context(opening)
        try:
            await database.check()
        except UnfitDatabaseError as error:
            if error.passes:
                raise
            raise ConfigurationError(f"DATABASE_URL: {error.detail}") from error
        stack.push_async_exit(attempt.pop_all())
        return database


def build_parts(settings: Settings, adapters: Adapters, disk: Disk, counts: Counts) -> Parts:
    """Build what works inside, from the outbox up to the consumer and the heartbeat."""
    broker, worker_id = adapters.broker, settings.worker_id
    outbox = PostgresOutboxStore(database=adapters.database, worker_id=worker_id)
    relay = Relay(
        store=outbox,
        publisher=broker.publisher,
        full_queue_patience_seconds=settings.broker.full_queue_patience_seconds,
        published=counts.event_published,
    )
    broker.publisher.on_ready(relay.nudge)
    recorder = Recorder(
        store=PostgresChangeStore(database=adapters.database, worker_id=worker_id),
        offer=relay.offer,
        observe=counts.metrics.observe_commit,
    )
    routes = RedisRouteCache(cache=adapters.cache)
    around = _surroundings(settings, adapters, disk, recorder, relay, routes, counts)
    workers = WorkerPresence(
        worker_id=worker_id, adapters=adapters, sessions=around.sessions, routes=routes
    )
    manager = SessionManager(
        around=around, capacity=settings.capacity, peer_messages=broker.publisher
    )
    inbox = Inbox(store=PostgresInboxStore(database=adapters.database))
    context = Context(
        manager=manager,
        messages=around.messages,
        replays=Replays(events=outbox, replayer=broker.publisher),
    )
    dispatcher, consumer = _commands(settings, adapters, around, context, inbox, counts)
    manager.when_left(dispatcher.flush)
    manager.watch_room(
        lambda has_room: consumer.resume_unassigned() if has_room else consumer.pause_unassigned()
    )

    def note_full(is_full: bool) -> None:  # noqa: FBT001 - a listener
        dispatcher.note_full(is_full=is_full)
        consumer.take_waiting(wanted=is_full)

    async def backlog() -> int:
        return await broker.depth() + consumer.in_flight

    async def ask_broker() -> None:
        if problems := broker.check().problems:
            raise DependencyError("; ".join(problems))
        await broker.depth()

    resources = ResourceMeter(
        host_pids=adapters.hosts.measured_pids, pss_bytes=adapters.hosts.pss_bytes
    )
    report = LoadReport(
        worker_id=worker_id,
        carried=manager,
        resources=resources,
        queue_depth=broker.depth,
        outbox_depth=outbox.depth,
        commands=counts.commands,
        events=counts.events,
    )
    heartbeat = Heartbeat(
        worker_id=worker_id,
        report=report,
        events=broker.publisher,
        interval_seconds=settings.heartbeat_seconds,
        on_beat=workers.beat,
    )
    leases = PostgresWorkerStore(
        database=adapters.lease_database,
        worker_id=worker_id,
        lease_seconds=settings.lease_seconds,
        disk_id=disk.disk_id,
    )
    return Parts(
        background=around.background,
        recorder=recorder,
        relay=relay,
        pruner=_pruner(settings, adapters, outbox, counts),
        inbox=inbox,
        manager=manager,
        dispatcher=dispatcher,
        consumer=consumer,
        heartbeat=heartbeat,
        capacity=CapacityWatch(
            worker_id=worker_id,
            is_full=lambda: not manager.has_room,
            waiting=broker.unassigned_depth,
            free=around.sessions.room,
            in_hand=lambda: dispatcher.without_room,
            on_full=note_full,
            events=broker.publisher,
            interval_seconds=settings.heartbeat_seconds,
        ),
        resources=resources,
        report=report,
        route_cache=routes,
        workers=workers,
        lease=_lease(settings, adapters, around, leases, manager, consumer),
        leases=leases,
        failover=_failover(settings, around, adapters.database, manager, consumer),
        orphan_spools=_orphan_spools(adapters, around, manager),
        quarantine_retries=QuarantineRetries(
            sessions=manager.sessions, quarantined=around.quarantined
        ),
        copies=SnapshotSchedule(
            snapshots=adapters.snapshots,
            running=manager.store_files if adapters.snapshots.are_needed else tuple,
            timing=SnapshotTiming(
                quiet_seconds=settings.objects.snapshot_quiet_seconds,
                maximum_seconds=settings.objects.snapshot_maximum_seconds,
            ),
        ),
        drain=Drain(
            worker_id=worker_id,
            manager=manager,
            sessions=around.sessions,
            recorder=recorder,
            commands=dispatcher,
            is_portable=adapters.snapshots.are_portable,
            backlog=backlog,
            ask_broker=ask_broker,
        ),
    )


def _pruner(
    settings: Settings, adapters: Adapters, outbox: PostgresOutboxStore, counts: Counts
) -> Pruner:
    async def prune_outbox(limit: int) -> int:
        return await outbox.prune(keep_seconds=settings.event_retention_seconds, limit=limit)

    history = PostgresHistory(database=adapters.database).shelves(
        commands=timedelta(days=settings.command_retention_days),
        messages=timedelta(days=settings.message_retention_days),
        receipts=timedelta(days=settings.receipt_retention_days),
    )
    return Pruner(
        shelves=(Shelf(name="outbox", prune=prune_outbox), *history),
        pruned=counts.metrics.count_pruned,
    )


def _commands(
    settings: Settings,
    adapters: Adapters,
    around: Surroundings,
    context: Context,
    inbox: Inbox,
    counts: Counts,
) -> tuple[Dispatcher, CommandConsumer]:
    publisher = adapters.broker.publisher
    executor = Executor(
        worker_id=settings.worker_id,
        context=context,
        attempts=Attempts(
            worker_id=settings.worker_id,
            manager=context.manager,
            inbox=inbox,
            postponer=publisher,
            clock=around.clock,
        ),
        recorder=around.recorder,
        observe=counts.command_settled,
    )
    dispatcher = Dispatcher(
        worker_id=settings.worker_id,
        manager=context.manager,
        executor=executor,
        forwarder=Forwarder(publisher=publisher),
        on_held=lambda held: consumer.widen(held),  # noqa: PLW0108 - made below
    )
    consumer = adapters.broker.consumer(dispatcher)
    return dispatcher, consumer


def _lease(
    settings: Settings,
    adapters: Adapters,
    around: Surroundings,
    leases: PostgresWorkerStore,
    manager: SessionManager,
    consumer: CommandConsumer,
) -> LeaseKeeper:
    async def regained() -> None:
        await manager.check_ownership()
        consumer.reinstate()

    return LeaseKeeper(
        leases=leases,
        hosts=adapters.hosts,
        lease_state=around.lease_state,
        on_lapsed=consumer.suspend,
        on_regained=regained,
        version=VERSION,
        capacity=settings.capacity,
    )


def _failover(
    settings: Settings,
    around: Surroundings,
    database: Database,
    manager: SessionManager,
    consumer: CommandConsumer,
) -> FailoverService:
    return FailoverService(
        worker_id=settings.worker_id,
        lease_state=around.lease_state,
        settle_seconds=settings.lease_seconds / 2,
        workers=PostgresWorkerStore(
            database=database,
            worker_id=settings.worker_id,
            lease_seconds=settings.lease_seconds,
        ),
        sessions=around.sessions,
        intake=consumer,
        relay=around.relay,
        here=manager,
    )


def _orphan_spools(
    adapters: Adapters, around: Surroundings, manager: SessionManager
) -> OrphanSpools:
    orphan_spools = OrphanSpools(
        worker_id=around.worker_id,
        directory=around.data_dir,
        launcher=adapters.hosts,
        sessions=around.sessions,
        snapshots=adapters.snapshots,
        peer_messages=adapters.broker.publisher,
        held=manager.is_held,
        moves=around.moves,
    )
    manager.when_lost(orphan_spools.clear)
    return orphan_spools


def _surroundings(
    settings: Settings,
    adapters: Adapters,
    disk: Disk,
    recorder: Recorder,
    relay: Relay,
    routes: RedisRouteCache,
    counts: Counts,
) -> Surroundings:
    return Surroundings(
        worker_id=settings.worker_id,
        data_dir=disk.directory,
        launcher=adapters.hosts,
        recorder=recorder,
        sessions=PostgresSessionStore(database=adapters.database),
        messages=PostgresMessageStore(database=adapters.database),
        bindings=adapters.broker.bindings,
        route_cache=routes,
        snapshots=adapters.snapshots,
        journals=adapters.hosts,
        background=Background(name="background"),
        clock=SystemClock(),
        limits=SessionLimits(stranded_seconds=settings.stranded_seconds),
        observer=counts,
        lease_state=LeaseState(),
        relay=relay,
    )
