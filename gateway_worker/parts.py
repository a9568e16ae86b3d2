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
from gateway_worker.foundation import Foundation, lay_foundation
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
    base = lay_foundation(settings, adapters, counts)
    route_cache = RedisRouteCache(cache=base.adapters.cache)
    outbox = _outbox(base)
    arriving = _arriving(base)
    sessions = _sessions(base, disk, outbox, arriving, route_cache)
    arriving.service.serve(MediaOwner(registry=sessions.manager.registry))
    sessions.manager.registry.watch_room(lambda _has_room: arriving.service.look_again())
    files = _files(base, sessions)
    commands = _commands(base, outbox, sessions, arriving, files)
    tenants = build_tenants(base.settings.tenants)
    consumer = _consumer(base.adapters.broker, sessions, commands, tenants)
    presence = WorkerPresence(
        worker_id=base.settings.worker_id,
        cache=base.adapters.cache,
        sessions=base.stores.sessions,
        route_cache=route_cache,
    )
    leases = PostgresWorkerStore(
        database=base.adapters.lease_database,
        worker_id=base.settings.worker_id,
        lease_seconds=base.settings.lease_seconds,
        disk_id=disk.disk_id,
    )
    return Parts(
        outbox=outbox,
        sessions=sessions,
        files=files,
        commands=commands,
        reviews=_reviews(base, sessions),
        consumer=consumer,
        tenants=tenants,
        media=arriving.service,
        reports=build_reports(base, sessions, commands, consumer, presence),
        pruner=_pruner(base, arriving, files),
        snapshot_schedule=_snapshot_schedule(base, sessions),
        route_cache=route_cache,
        presence=presence,
        leases=leases,
        lease=build_lease(base, leases, sessions, consumer),
        failover=build_failover(base, outbox, sessions, consumer),
        drain=build_drain(base, outbox, sessions, commands, consumer),
    )


def _outbox(base: Foundation) -> Outbox:
    broker = base.adapters.broker
    outbox = build_outbox(
        changes=base.stores.changes,
        events=base.stores.outbox,
        publisher=broker.publisher,
        full_queue_patience_seconds=base.settings.broker.full_queue_patience_seconds,
        published=base.counts.event_published,
        committed=base.counts.metrics.observe_commit,
        tracing=base.adapters.traces,
    )
    broker.publisher.on_ready(outbox.relay.nudge)
    broker.publisher.on_doubt(outbox.relay.doubt)
    return outbox


def _arriving(base: Foundation) -> Arriving:
    ports = ArrivingPorts(
        table=base.stores.media,
        objects=base.adapters.streams,
        files=base.adapters.media_host,
        seal=base.settings.objects.keyring(),
        observer=base.counts,
        allowance=_allowance(base, Direction.RECEIVED),
    )
    return build_arriving(
        ports,
        base.settings.media,
        source=source_of(base.settings.worker_id),
        prefix=base.settings.objects.prefix,
        clock=SystemClock(),
    )


def _allowance(base: Foundation, direction: Direction) -> MediaAllowance:
    tenants = base.settings.tenants
    is_sent = direction is Direction.SENT
    return MediaAllowance(
        counts=base.stores.media_bytes,
        direction=direction,
        per_day=tenants.media_bytes_per_day if is_sent else tenants.received_bytes_per_day,
        clock=SystemClock(),
    )


def _sessions(
    base: Foundation, disk: Disk, outbox: Outbox, arriving: Arriving, route_cache: RedisRouteCache
) -> Sessions:
    ports = SessionPorts(
        launcher=base.adapters.hosts,
        spools=base.adapters.hosts,
        recorder=outbox.recorder,
        relay=outbox.relay,
        sessions=base.stores.sessions,
        bindings=base.adapters.broker.bindings,
        route_cache=route_cache,
        snapshots=base.adapters.snapshots,
        journals=base.adapters.hosts,
        peer_messages=base.adapters.broker.publisher,
        observer=base.counts,
        answer_call=answer_to,
        past=base.stores.past,
        media_intake=arriving.intake,
        media_files=SessionFiles(arriving.service, _exporter(base)),
        proxies=base.adapters.proxies,
        uncertain=base.stores.uncertain,
        tracing=base.adapters.traces,
    )
    return build_sessions(
        ports,
        worker_id=base.settings.worker_id,
        data_directory=disk.directory,
        capacity=base.settings.capacity,
        limits=SessionLimits(
            stranded_seconds=base.settings.stranded_seconds,
            silence_seconds=base.settings.whatsapp.silence_seconds,
            probe_seconds=base.settings.whatsapp.probe_seconds,
            reachout_hold_seconds=base.settings.reachout_hold_seconds,
        ),
    )


def _files(base: Foundation, sessions: Sessions) -> OutgoingFiles:
    return build_outgoing(
        store=base.adapters.streams,
        fetcher=base.adapters.fetcher,
        helpers=base.adapters.helpers,
        settings=base.settings.media,
        allowance=_allowance(base, Direction.SENT),
        clock=sessions.clock,
        observe=base.counts.metrics.observe_file,
    )


def _reviews(base: Foundation, sessions: Sessions) -> SessionReviews:
    return build_reviews(
        base.stores.analytics,
        worker_id=base.settings.worker_id,
        sessions=sessions.manager.registry.sessions,
        clock=sessions.clock,
        undelivered_seconds=base.settings.undelivered_seconds,
        health_seconds=base.settings.session_health_seconds,
    )


def _exporter(base: Foundation) -> Exporter:
    return Exporter(
        history=History(store=base.stores.history),
        store=base.stores.history,
        rows=base.stores.people,
        objects=base.adapters.streams,
        clock=SystemClock(),
    )


def _commands(
    base: Foundation, outbox: Outbox, sessions: Sessions, arriving: Arriving, files: OutgoingFiles
) -> Commands:
    eraser = Eraser(
        history=base.stores.history, rows=base.stores.erasure, objects=base.adapters.streams
    )
    ports = CommandPorts(
        entries=base.stores.inbox,
        deferred=base.stores.deferred,
        bulks=base.stores.bulks,
        messages=base.stores.messages,
        catalog=base.stores.catalog,
        recorder=outbox.recorder,
        postponer=base.adapters.broker.publisher,
        forwarder=base.adapters.broker.publisher,
        replays=Replays(events=base.stores.outbox, replayer=base.adapters.broker.publisher),
        media=arriving.service,
        history=History(store=base.stores.history),
        counters=CounterReading(store=base.stores.analytics, clock=sessions.clock),
        privacy=Privacy(eraser=eraser, exporter=_exporter(base)),
        files=files,
        pacer=Pacer(
            store=RedisPacing(cache=base.adapters.cache),
            settings=base.settings.pacing,
            observer=base.counts,
        ),
        bulk_files=BucketFiles(
            objects=base.adapters.streams,
            uploads=files.uploads,
            clock=sessions.clock,
            url_seconds=base.settings.media.url_seconds,
        ),
        pictures=arriving.pictures,
        tracing=base.adapters.traces,
        log_levels=LogLevels(
            worker_id=base.settings.worker_id,
            own=OwnLevel(usual=base.settings.log.level, apply=set_level, clock=sessions.clock),
            alive=partial(alive_workers, base.adapters.database),
            peers=base.adapters.broker.publisher,
            clock=sessions.clock,
        ),
        observe=base.counts.command_settled,
    )
    commands = build_commands(
        ports,
        worker_id=base.settings.worker_id,
        manager=sessions.manager,
        clock=sessions.clock,
        features=base.settings.features,
        limits=CommandLimits(
            bulks_at_once=base.settings.bulks_at_once, shares=make_shares(base.settings.tenants)
        ),
    )
    base.counts.when_message_arrives(commands.dispatcher.note_conversation)
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


def _pruner(base: Foundation, arriving: Arriving, files: OutgoingFiles) -> Pruner:
    async def prune_outbox(limit: int) -> int:
        return await base.stores.outbox.prune(
            keep_seconds=base.settings.event_retention_seconds, limit=limit
        )

    bulks = BulkRetention(
        store=base.stores.bulks,
        objects=base.adapters.streams,
        clock=SystemClock(),
        keep_seconds=timedelta(days=base.settings.command_retention_days).total_seconds(),
    )
    history = PostgresHistory(database=base.adapters.database).shelves(
        commands=timedelta(days=base.settings.command_retention_days),
        messages=timedelta(days=base.settings.message_retention_days),
        receipts=timedelta(days=base.settings.receipt_retention_days),
        counts=timedelta(days=base.settings.count_retention_days),
    )
    forget_bytes = _allowance(base, Direction.SENT).prune  # of both
    return Pruner(
        shelves=(
            Shelf(name="outbox", prune=prune_outbox),
            *history,
            Shelf(name="media", prune=arriving.retention.prune),
            Shelf(name="uploads", prune=files.uploads.prune),
            Shelf(name="media_bytes", prune=forget_bytes),
            Shelf(name="bulks", prune=bulks.prune),
            Shelf(name="exports", prune=_exporter(base).prune),
        ),
        pruned=base.counts.metrics.count_pruned,
    )


def _snapshot_schedule(base: Foundation, sessions: Sessions) -> SnapshotSchedule:
    snapshots = base.adapters.snapshots
    return SnapshotSchedule(
        snapshots=snapshots,
        running=sessions.manager.registry.store_files if snapshots.are_needed else tuple,
        timing=SnapshotTiming(
            quiet_seconds=base.settings.objects.snapshot_quiet_seconds,
            maximum_seconds=base.settings.objects.snapshot_maximum_seconds,
        ),
    )
