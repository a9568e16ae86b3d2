"""What works inside the worker: each subsystem built beside its package, and joined here.

Nothing begins to run here; what starts when is `app.py`'s.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gateway_worker.adapters import Adapters
from gateway_worker.analytics.build import build_reviews
from gateway_worker.analytics.counters import CounterReading
from gateway_worker.analytics.review import SessionReviews
from gateway_worker.broker.client import Broker
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.commands.build import CommandLimits, CommandPorts, Commands, build_commands
from gateway_worker.commands.call_answers import answer_to
from gateway_worker.commands.deferred.files import BucketFiles
from gateway_worker.commands.deferred.retention import BulkRetention
from gateway_worker.commands.log_levels import LogLevels, OwnLevel
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.replaying import Replays
from gateway_worker.config import Settings
from gateway_worker.counts import Counts
from gateway_worker.fleet_parts import (
    Reports,
    build_drain,
    build_failover,
    build_lease,
    build_reports,
)
from gateway_worker.history.build import Privacy
from gateway_worker.history.erasing import Eraser
from gateway_worker.history.exporting import Exporter
from gateway_worker.history.reading import History
from gateway_worker.log import set_level
from gateway_worker.media.allowance import Direction, MediaAllowance
from gateway_worker.media.arriving.build import Arriving, ArrivingPorts, build_arriving
from gateway_worker.media.arriving.service import ArrivingMedia
from gateway_worker.media.build import OutgoingFiles, build_outgoing
from gateway_worker.outbox.build import Outbox, build_outbox
from gateway_worker.outbox.pruning import Pruner, Shelf
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.sessions.build import SessionPorts, Sessions, build_sessions
from gateway_worker.sessions.changes import source_of
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.ownership.disk import Disk
from gateway_worker.sessions.ownership.drain import Drain
from gateway_worker.sessions.ownership.lease import LeaseKeeper
from gateway_worker.sessions.ownership.media_owner import MediaOwner
from gateway_worker.sessions.ownership.takeover import FailoverService
from gateway_worker.sessions.ports import MediaFiles
from gateway_worker.sessions.store.snapshot_schedule import SnapshotSchedule, SnapshotTiming
from gateway_worker.storage.cache.pacing import RedisPacing
from gateway_worker.storage.cache.presence import WorkerPresence
from gateway_worker.storage.cache.route_cache import RedisRouteCache
from gateway_worker.storage.db.build import Stores, build_stores
from gateway_worker.storage.db.retention import PostgresHistory
from gateway_worker.storage.db.workers import PostgresWorkerStore, alive_workers
from gateway_worker.tenants.build import Tenants, build_tenants, make_shares


class SessionFiles:
    """All that a session has in the bucket but for its copies.

    Args:
        places: Each removes a part of it.
    """

    def __init__(self, *places: MediaFiles) -> None:
        self._places = places

    async def remove(self, session_id: str) -> None:
        """Remove a session's files. Idempotent; may raise `DependencyError`."""
        for place in self._places:
            await place.remove(session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The subsystems, and what joins two of them.

    Attributes:
        leases: The workers table, through connections that nothing else uses.
    """

    outbox: Outbox
    sessions: Sessions
    files: OutgoingFiles
    commands: Commands
    reviews: SessionReviews
    consumer: CommandConsumer
    tenants: Tenants
    media: ArrivingMedia
    reports: Reports
    pruner: Pruner
    snapshot_schedule: SnapshotSchedule
    route_cache: RedisRouteCache
    presence: WorkerPresence
    leases: PostgresWorkerStore
    lease: LeaseKeeper
    failover: FailoverService
    drain: Drain


def build_parts(settings: Settings, adapters: Adapters, disk: Disk, counts: Counts) -> Parts:
    """Build what works inside, from the outbox up to the consumer and the heartbeat."""
    stores = build_stores(
        adapters.database,
        worker_id=settings.worker_id,
        sessions_per_tenant=settings.tenants.max_sessions,
    )
    route_cache = RedisRouteCache(cache=adapters.cache)
    outbox = _outbox(settings, adapters, stores, counts)
    arriving = _arriving(settings, adapters, stores, counts)
    sessions = _sessions(settings, adapters, disk, stores, outbox, arriving, route_cache, counts)
    arriving.service.serve(MediaOwner(registry=sessions.manager.registry))
    sessions.manager.registry.watch_room(lambda _has_room: arriving.service.look_again())
    files = _files(settings, adapters, stores, sessions, counts)
    commands = _commands(settings, adapters, stores, outbox, sessions, arriving, files, counts)
    tenants = build_tenants(settings.tenants)
    consumer = _consumer(adapters.broker, sessions, commands, tenants)
    presence = WorkerPresence(
        worker_id=settings.worker_id,
        cache=adapters.cache,
        sessions=stores.sessions,
        route_cache=route_cache,
    )
    leases = PostgresWorkerStore(
        database=adapters.lease_database,
        worker_id=settings.worker_id,
        lease_seconds=settings.lease_seconds,
        disk_id=disk.disk_id,
    )
    return Parts(
        outbox=outbox,
        sessions=sessions,
        files=files,
        commands=commands,
        reviews=_reviews(settings, stores, sessions),
        consumer=consumer,
        tenants=tenants,
        media=arriving.service,
        reports=build_reports(
            settings, adapters, stores, sessions, commands, consumer, presence, counts
        ),
        pruner=_pruner(settings, adapters, stores, arriving, files, counts),
        snapshot_schedule=_snapshot_schedule(settings, adapters, sessions),
        route_cache=route_cache,
        presence=presence,
        leases=leases,
        lease=build_lease(settings, adapters, leases, sessions, consumer),
        failover=build_failover(settings, adapters, stores, outbox, sessions, consumer),
        drain=build_drain(settings, adapters, stores, outbox, sessions, commands, consumer),
    )


def _outbox(settings: Settings, adapters: Adapters, stores: Stores, counts: Counts) -> Outbox:
    broker = adapters.broker
    outbox = build_outbox(
        changes=stores.changes,
        events=stores.outbox,
        publisher=broker.publisher,
        full_queue_patience_seconds=settings.broker.full_queue_patience_seconds,
        published=counts.event_published,
        committed=counts.metrics.observe_commit,
        tracing=adapters.traces,
    )
    broker.publisher.on_ready(outbox.relay.nudge)
    broker.publisher.on_doubt(outbox.relay.doubt)
    return outbox


def _arriving(settings: Settings, adapters: Adapters, stores: Stores, counts: Counts) -> Arriving:
    ports = ArrivingPorts(
        table=stores.media,
        objects=adapters.streams,
        files=adapters.media_host,
        seal=settings.objects.keyring(),
        observer=counts,
        allowance=_allowance(settings, stores, Direction.RECEIVED),
    )
    return build_arriving(
        ports,
        settings.media,
        source=source_of(settings.worker_id),
        prefix=settings.objects.prefix,
        clock=SystemClock(),
    )


def _allowance(settings: Settings, stores: Stores, direction: Direction) -> MediaAllowance:
    tenants = settings.tenants
    is_sent = direction is Direction.SENT
    return MediaAllowance(
        counts=stores.media_bytes,
        direction=direction,
        per_day=tenants.media_bytes_per_day if is_sent else tenants.received_bytes_per_day,
        clock=SystemClock(),
    )


def _sessions(
    settings: Settings,
    adapters: Adapters,
    disk: Disk,
    stores: Stores,
    outbox: Outbox,
    arriving: Arriving,
    route_cache: RedisRouteCache,
    counts: Counts,
) -> Sessions:
    ports = SessionPorts(
        launcher=adapters.hosts,
        spools=adapters.hosts,
        recorder=outbox.recorder,
        relay=outbox.relay,
        sessions=stores.sessions,
        bindings=adapters.broker.bindings,
        route_cache=route_cache,
        snapshots=adapters.snapshots,
        journals=adapters.hosts,
        peer_messages=adapters.broker.publisher,
        observer=counts,
        answer_call=answer_to,
        past=stores.past,
        media_intake=arriving.intake,
        media_files=SessionFiles(arriving.service, _exporter(adapters, stores)),
        proxies=adapters.proxies,
        uncertain=stores.uncertain,
        tracing=adapters.traces,
    )
    return build_sessions(
        ports,
        worker_id=settings.worker_id,
        data_directory=disk.directory,
        capacity=settings.capacity,
        limits=SessionLimits(
            stranded_seconds=settings.stranded_seconds,
            silence_seconds=settings.whatsapp.silence_seconds,
            probe_seconds=settings.whatsapp.probe_seconds,
            reachout_hold_seconds=settings.reachout_hold_seconds,
        ),
    )


def _files(
    settings: Settings, adapters: Adapters, stores: Stores, sessions: Sessions, counts: Counts
) -> OutgoingFiles:
    return build_outgoing(
        store=adapters.streams,
        fetcher=adapters.fetcher,
        helpers=adapters.helpers,
        settings=settings.media,
        allowance=_allowance(settings, stores, Direction.SENT),
        clock=sessions.clock,
        observe=counts.metrics.observe_file,
    )


def _reviews(settings: Settings, stores: Stores, sessions: Sessions) -> SessionReviews:
    return build_reviews(
        stores.analytics,
        worker_id=settings.worker_id,
        sessions=sessions.manager.registry.sessions,
        clock=sessions.clock,
        undelivered_seconds=settings.undelivered_seconds,
        health_seconds=settings.session_health_seconds,
    )


def _exporter(adapters: Adapters, stores: Stores) -> Exporter:
    return Exporter(
        history=History(store=stores.history),
        store=stores.history,
        rows=stores.people,
        objects=adapters.streams,
        clock=SystemClock(),
    )


def _commands(
    settings: Settings,
    adapters: Adapters,
    stores: Stores,
    outbox: Outbox,
    sessions: Sessions,
    arriving: Arriving,
    files: OutgoingFiles,
    counts: Counts,
) -> Commands:
    eraser = Eraser(history=stores.history, rows=stores.erasure, objects=adapters.streams)
    ports = CommandPorts(
        entries=stores.inbox,
        deferred=stores.deferred,
        bulks=stores.bulks,
        messages=stores.messages,
        catalog=stores.catalog,
        recorder=outbox.recorder,
        postponer=adapters.broker.publisher,
        forwarder=adapters.broker.publisher,
        replays=Replays(events=stores.outbox, replayer=adapters.broker.publisher),
        media=arriving.service,
        history=History(store=stores.history),
        counters=CounterReading(store=stores.analytics, clock=sessions.clock),
        privacy=Privacy(eraser=eraser, exporter=_exporter(adapters, stores)),
        files=files,
        pacer=Pacer(
            store=RedisPacing(cache=adapters.cache), settings=settings.pacing, observer=counts
        ),
        bulk_files=BucketFiles(
            objects=adapters.streams,
            uploads=files.uploads,
            clock=sessions.clock,
            url_seconds=settings.media.url_seconds,
        ),
        pictures=arriving.pictures,
        tracing=adapters.traces,
        log_levels=LogLevels(
            worker_id=settings.worker_id,
            own=OwnLevel(usual=settings.log.level, apply=set_level, clock=sessions.clock),
            alive=partial(alive_workers, adapters.database),
            peers=adapters.broker.publisher,
            clock=sessions.clock,
        ),
        observe=counts.command_settled,
    )
    commands = build_commands(
        ports,
        worker_id=settings.worker_id,
        manager=sessions.manager,
        clock=sessions.clock,
        features=settings.features,
        limits=CommandLimits(
            bulks_at_once=settings.bulks_at_once, shares=make_shares(settings.tenants)
        ),
    )
    counts.when_message_arrives(commands.dispatcher.note_conversation)
    return commands


def _consumer(
    broker: Broker, sessions: Sessions, commands: Commands, tenants: Tenants
) -> CommandConsumer:
    consumer = broker.consumer(
        commands.dispatcher,
        verifier=tenants.verifier,
        most_waiting=tenants.most_waiting,
        # Others come to this worker's queue only when its lease has ended.
        is_alone=lambda: sessions.lease_state.is_known,
    )
    commands.dispatcher.watch_held(consumer.widen)
    sessions.manager.registry.watch_room(
        lambda has_room: consumer.resume_unassigned() if has_room else consumer.pause_unassigned()
    )
    return consumer


def _pruner(
    settings: Settings,
    adapters: Adapters,
    stores: Stores,
    arriving: Arriving,
    files: OutgoingFiles,
    counts: Counts,
) -> Pruner:
    async def prune_outbox(limit: int) -> int:
        return await stores.outbox.prune(keep_seconds=settings.event_retention_seconds, limit=limit)

    bulks = BulkRetention(
        store=stores.bulks,
        objects=adapters.streams,
        clock=SystemClock(),
        keep_seconds=timedelta(days=settings.command_retention_days).total_seconds(),
    )
    history = PostgresHistory(database=adapters.database).shelves(
        commands=timedelta(days=settings.command_retention_days),
        messages=timedelta(days=settings.message_retention_days),
        receipts=timedelta(days=settings.receipt_retention_days),
        counts=timedelta(days=settings.count_retention_days),
    )
    forget_bytes = _allowance(settings, stores, Direction.SENT).prune  # of both
    return Pruner(
        shelves=(
            Shelf(name="outbox", prune=prune_outbox),
            *history,
            Shelf(name="media", prune=arriving.retention.prune),
            Shelf(name="uploads", prune=files.uploads.prune),
            Shelf(name="media_bytes", prune=forget_bytes),
            Shelf(name="bulks", prune=bulks.prune),
            Shelf(name="exports", prune=_exporter(adapters, stores).prune),
        ),
        pruned=counts.metrics.count_pruned,
    )


def _snapshot_schedule(
    settings: Settings, adapters: Adapters, sessions: Sessions
) -> SnapshotSchedule:
    return SnapshotSchedule(
        snapshots=adapters.snapshots,
        running=sessions.manager.registry.store_files if adapters.snapshots.are_needed else tuple,
        timing=SnapshotTiming(
            quiet_seconds=settings.objects.snapshot_quiet_seconds,
            maximum_seconds=settings.objects.snapshot_maximum_seconds,
        ),
    )
