"""Joins the way of a command: entered in the inbox, scheduled, executed, forwarded."""

from dataclasses import dataclass, field

from gateway_worker.analytics.counters import CounterReading
from gateway_worker.commands.attempts import Attempts, RetryPolicy
from gateway_worker.commands.deadlines import HOLD_SECONDS
from gateway_worker.commands.deferrals import BulkFiles, BulkStore, DeferredStore
from gateway_worker.commands.deferred.acceptance import Acceptance
from gateway_worker.commands.deferred.bulk_feeder import BulkFeeder
from gateway_worker.commands.deferred.bulks import BulkCommands
from gateway_worker.commands.deferred.feeder import Feeder
from gateway_worker.commands.deferred.service import DeferredCommands
from gateway_worker.commands.deferred_slots import DeferredSlots
from gateway_worker.commands.dispatcher import Dispatcher, Executors
from gateway_worker.commands.ends import CommandEnds, Observer
from gateway_worker.commands.execution import Executor
from gateway_worker.commands.features import DEFAULT, Feature
from gateway_worker.commands.forwarding import CommandForwarder, Forwarder
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.log_levels import LogLevels
from gateway_worker.commands.number_checks import NumberChecks
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.ports import CommandTracing, InboxStore, Postponer
from gateway_worker.commands.purging import Purging
from gateway_worker.commands.replaying import Replays
from gateway_worker.commands.stranded_execution import StrandedExecutor
from gateway_worker.commands.tenant_turns import TenantTurns
from gateway_worker.commands.waiting_creations import ROOM_SECONDS
from gateway_worker.history.build import Privacy
from gateway_worker.history.reading import History
from gateway_worker.media.arriving.pictures import Pictures
from gateway_worker.media.arriving.service import ArrivingMedia
from gateway_worker.media.build import OutgoingFiles
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ports import MessageStore, Recorder, SessionCatalog
from gateway_worker.tenants.quotas import TenantShares


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Where commands are entered, what executes them, and what brings those that were put off."""

    inbox: Inbox
    dispatcher: Dispatcher
    feeder: Feeder
    bulk_feeder: BulkFeeder


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPorts:
    """What commands need from the outside.

    Attributes:
        entries: The inbox's table.
        deferred: What was put off.
        bulks: Bulks and their rows.
        messages: Finds messages that commands refer to.
        recorder: Commits outcomes.
        postponer: Has the broker bring a command again later.
        forwarder: Sends commands on to other workers.
        replays: Publishes past events again; without it that is not possible here.
        media: Fetches files; without it that is not possible here.
        history: Reads what is stored; without it that is not possible here.
        counters: Tells what was counted; without it that is not possible here.
        privacy: Erases and exports what is stored of a person; without it that is not possible.
        files: Brings files to send to their sessions; without it none can be sent here.
        catalog: Lists the sessions of the fleet; without it that is not possible here.
        pacer: Holds messages back; without it they are sent as fast as it goes.
        bulk_files: Has files of rows, and gets those of results; without it there are none.
        pictures: Brings pictures of people into the bucket; without it none comes there.
        tracing: Traces commands; without it none is traced.
        log_levels: Has workers log more or less; without it that is not possible here.
        observe: Called with each command that has come to its end.
    """

    entries: InboxStore
    deferred: DeferredStore
    bulks: BulkStore
    messages: MessageStore
    recorder: Recorder
    postponer: Postponer
    forwarder: CommandForwarder
    replays: Replays | None = None
    media: ArrivingMedia | None = None
    history: History | None = None
    counters: CounterReading | None = None
    privacy: Privacy | None = None
    files: OutgoingFiles | None = None
    catalog: SessionCatalog | None = None
    pacer: Pacer | None = None
    bulk_files: BulkFiles | None = None
    pictures: Pictures | None = None
    tracing: CommandTracing | None = None
    log_levels: LogLevels | None = None
    observe: Observer = lambda _type, _outcome, _times: None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLimits:
    """Times and numbers of commands.

    Attributes:
        hold_seconds: See `HOLD_SECONDS`.
        room_seconds: See `ROOM_SECONDS`.
        shares: How much of the worker each tenant has; None: nothing bounds it.
        bulks_at_once: How many rows of bulks and scheduled sends are sent at the same time.
    """

    hold_seconds: float = HOLD_SECONDS
    room_seconds: float = ROOM_SECONDS
    shares: TenantShares | None = None
    bulks_at_once: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What more than one part of them has."""

    ports: CommandPorts
    worker_id: str
    manager: SessionManager
    clock: Clock
    features: frozenset[Feature]
    limits: CommandLimits
    inbox: Inbox
    attempts: Attempts
    ends: CommandEnds
    checks: NumberChecks = field(default_factory=NumberChecks)
    purging: Purging = field(default_factory=Purging)


def build_commands(
    ports: CommandPorts,
    *,
    worker_id: str,
    manager: SessionManager,
    clock: Clock,
    features: frozenset[Feature] = DEFAULT,
    retry_policy: RetryPolicy | None = None,
    limits: CommandLimits | None = None,
) -> Commands:
    """Build inbox, dispatcher and feeder; nothing begins to run.

    Args:
        ports: What leads outside.
        worker_id: This worker.
        manager: Its sessions.
        clock: The time.
        features: What is switched on.
        retry_policy: How often and how late a command is tried again.
        limits: Times and numbers.
    """
    inbox = Inbox(store=ports.entries)
    shared = _Shared(
        ports=ports,
        worker_id=worker_id,
        manager=manager,
        clock=clock,
        features=features,
        limits=limits or CommandLimits(),
        inbox=inbox,
        attempts=Attempts(
            worker_id=worker_id,
            manager=manager,
            inbox=inbox,
            postponer=ports.postponer,
            clock=clock,
            retry_policy=retry_policy,
        ),
        ends=CommandEnds(
            worker_id=worker_id,
            manager=manager,
            recorder=ports.recorder,
            features=features,
            observe=ports.observe,
        ),
    )
    feeder = Feeder(
        worker_id=worker_id, registry=manager.registry, store=ports.deferred, clock=clock
    )
    bulk_feeder = _bulk_feeder(shared)
    deferred = DeferredCommands(
        worker_id=worker_id,
        store=ports.deferred,
        bulks=ports.bulks,
        feeder=bulk_feeder,
        schedule=feeder,
        inbox=inbox,
    )
    context = _context(shared, deferred, bulk_feeder)
    dispatcher = _dispatcher(shared, context, deferred, feeder)
    shared.purging.serve(dispatcher.call_off)
    manager.departures.when_left(dispatcher.flush)
    feeder.feeds(dispatcher.accept)
    bulk_feeder.feeds(dispatcher.accept)
    return Commands(inbox=inbox, dispatcher=dispatcher, feeder=feeder, bulk_feeder=bulk_feeder)


def _bulk_feeder(shared: _Shared) -> BulkFeeder:
    return BulkFeeder(
        worker_id=shared.worker_id,
        registry=shared.manager.registry,
        store=shared.ports.bulks,
        files=shared.ports.bulk_files,
        checks=shared.checks,
        clock=shared.clock,
        pacer=shared.ports.pacer,
    )


def _context(shared: _Shared, deferred: DeferredCommands, bulk_feeder: BulkFeeder) -> Context:
    ports = shared.ports
    return Context(
        manager=shared.manager,
        messages=ports.messages,
        replays=ports.replays,
        media=ports.media,
        history=ports.history,
        counters=ports.counters,
        privacy=ports.privacy,
        files=ports.files,
        deferred=deferred,
        bulks=BulkCommands(
            store=ports.bulks,
            feeder=bulk_feeder,
            files=ports.bulk_files,
            clock=shared.clock,
            features=shared.features,
            is_closed=deferred.is_closed,
        ),
        pictures=ports.pictures,
        checks=shared.checks,
        pacer=ports.pacer,
        purging=shared.purging,
        catalog=ports.catalog,
        log_levels=ports.log_levels,
        features=shared.features,
    )


def _dispatcher(
    shared: _Shared, context: Context, deferred: DeferredCommands, feeder: Feeder
) -> Dispatcher:
    attempts, ends, limits = shared.attempts, shared.ends, shared.limits
    return Dispatcher(
        worker_id=shared.worker_id,
        manager=shared.manager,
        executors=Executors(
            executor=Executor(
                context=context, attempts=attempts, ends=ends, tracing=shared.ports.tracing
            ),
            stranded=StrandedExecutor(
                worker_id=shared.worker_id,
                context=context,
                attempts=attempts,
                ends=ends,
                deferred=deferred,
            ),
            acceptance=Acceptance(
                manager=shared.manager,
                attempts=attempts,
                ends=ends,
                clock=shared.clock,
                is_closed=deferred.is_closed,
                on_accepted=feeder.expect,
            ),
            log_levels=shared.ports.log_levels,
        ),
        ends=ends,
        forwarder=Forwarder(publisher=shared.ports.forwarder),
        slots=DeferredSlots(slots=limits.bulks_at_once),
        hold_seconds=limits.hold_seconds,
        room_seconds=limits.room_seconds,
        tenant_turns=None if limits.shares is None else TenantTurns(limits.shares),
    )
