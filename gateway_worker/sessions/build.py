"""Joins what holds a worker's sessions, out of the ports that lead outside."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway_worker.media.arriving.intake import MediaIntake
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.sessions.found_sends import UncertainSends
from gateway_worker.sessions.hosting import HostLauncher, SpoolReplays
from gateway_worker.sessions.inbound.call_screening import Answer
from gateway_worker.sessions.inbound.history import HistoryTurns
from gateway_worker.sessions.inbound.left_sends import LeftSends
from gateway_worker.sessions.inbound.orphan_spools import OrphanSpools
from gateway_worker.sessions.inbound.quarantine import QuarantineCount
from gateway_worker.sessions.inbound.quarantine_retry import QuarantineRetries
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.observers import ReceiptTracing, SessionObserver
from gateway_worker.sessions.ownership.departures import Departures
from gateway_worker.sessions.ownership.directory import SessionDirectory
from gateway_worker.sessions.ownership.manager import Ownership, SessionManager
from gateway_worker.sessions.ownership.rebinding import Rebinder
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.ownership.stranded import StrandedSessions
from gateway_worker.sessions.peer_messages import PeerMessages
from gateway_worker.sessions.ports import (
    CommandBindings,
    DeviceSnapshots,
    EventRelay,
    MediaFiles,
    PastMessages,
    Recorder,
    RouteCache,
    SessionStore,
)
from gateway_worker.sessions.proxies import Proxies
from gateway_worker.sessions.send_journal import SendJournals
from gateway_worker.sessions.session.factory import SessionFactory
from gateway_worker.sessions.session.silence import SilenceWatch
from gateway_worker.sessions.session.traces import SessionTraces
from gateway_worker.sessions.store.data_directory import DataDirectory
from gateway_worker.sessions.store.directory_moves import DirectoryMoves


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPorts:
    """The ports that lead outside; nobody but `build_sessions` gets all of it.

    Attributes:
        observer: Counts what happens.
        answer_call: Makes what the caller of a call that is refused is written.
        past: Writes messages from before accounts were linked.
        media_intake: Enters the files that come with messages; without it none are fetched.
        media_files: Has those that were.
        proxies: Knows what leads to their proxies.
        uncertain: Tells of sends whose end is not known; without it owners are not told of theirs.
        tracing: Traces receipts; without it none is traced.
    """

    launcher: HostLauncher
    spools: SpoolReplays
    recorder: Recorder
    relay: EventRelay
    sessions: SessionStore
    bindings: CommandBindings
    route_cache: RouteCache
    snapshots: DeviceSnapshots
    journals: SendJournals
    peer_messages: PeerMessages
    observer: SessionObserver
    answer_call: Answer
    past: PastMessages
    media_intake: MediaIntake | None = None
    media_files: MediaFiles | None = None
    proxies: Proxies = field(default_factory=Proxies)
    uncertain: UncertainSends | None = None
    tracing: ReceiptTracing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """What holds the sessions of a worker.

    Attributes:
        manager: Holds them.
        factory: Makes one.
        orphan_spools: Clears what those have left that have gone.
        quarantine_retries: Records again what the database has refused.
        silence_watch: Has sessions connect anew that WhatsApp sends nothing to.
        lease_state: Whether hosts may run; `LeaseKeeper` sets it.
        background: Side work that has to end before the worker does.
        clock: The time, as sessions have it.
    """

    manager: SessionManager
    factory: SessionFactory
    orphan_spools: OrphanSpools
    quarantine_retries: QuarantineRetries
    silence_watch: SilenceWatch
    lease_state: LeaseState
    background: Background
    clock: Clock


def build_sessions(
    ports: SessionPorts,
    *,
    worker_id: str,
    data_directory: Path,
    capacity: int,
    limits: SessionLimits | None = None,
) -> Sessions:
    """Build what holds a worker's sessions; nothing begins to run.

    Args:
        ports: What leads outside.
        worker_id: This worker.
        data_directory: Where it keeps what its sessions have on disk.
        capacity: How many sessions it takes on.
        limits: For how long and how much.
    """
    background = Background(name="background")
    shared = _Shared(
        worker_id=worker_id,
        data=DataDirectory(data_directory),
        registry=SessionRegistry(capacity=capacity),
        background=background,
        limits=limits or SessionLimits(),
        traces=SessionTraces(
            bindings=ports.bindings,
            snapshots=ports.snapshots,
            media=ports.media_files,
            route_cache=ports.route_cache,
            background=background,
        ),
    )
    orphan_spools = _orphan_spools(ports, shared)
    factory = _factory(ports, shared)
    manager = SessionManager(
        ownership=_ownership(ports, shared, orphan_spools),
        factory=factory,
        sessions=ports.sessions,
        relay=ports.relay,
        background=background,
        clock=shared.clock,
        proxies=ports.proxies,
    )
    ports.proxies.serve(shared.registry.settings_of)
    return Sessions(
        manager=manager,
        factory=factory,
        orphan_spools=orphan_spools,
        quarantine_retries=QuarantineRetries(
            sessions=shared.registry.sessions, quarantined=shared.quarantined
        ),
        silence_watch=SilenceWatch(sessions=shared.registry.sessions, limits=shared.limits),
        lease_state=shared.lease_state,
        background=background,
        clock=shared.clock,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What more than one part of them has."""

    worker_id: str
    data: DataDirectory
    registry: SessionRegistry
    background: Background
    limits: SessionLimits
    traces: SessionTraces
    clock: Clock = field(default_factory=SystemClock)
    lease_state: LeaseState = field(default_factory=LeaseState)
    moves: DirectoryMoves = field(default_factory=DirectoryMoves)
    quarantined: QuarantineCount = field(default_factory=QuarantineCount)


def _factory(ports: SessionPorts, shared: _Shared) -> SessionFactory:
    return SessionFactory(
        worker_id=shared.worker_id,
        data=shared.data,
        launcher=ports.launcher,
        recorder=ports.recorder,
        sessions=ports.sessions,
        route_cache=ports.route_cache,
        snapshots=ports.snapshots,
        media=ports.media_intake,
        journals=ports.journals,
        traces=shared.traces,
        background=shared.background,
        clock=shared.clock,
        limits=shared.limits,
        observer=ports.observer,
        lease_state=shared.lease_state,
        quarantined=shared.quarantined,
        moves=shared.moves,
        is_behind=lambda: ports.relay.is_behind,
        answer_call=ports.answer_call,
        proxies=ports.proxies,
        past=ports.past,
        history_turns=HistoryTurns(),
        tracing=ports.tracing,
        left_sends=_left_sends(ports, shared),
    )


def _orphan_spools(ports: SessionPorts, shared: _Shared) -> OrphanSpools:
    return OrphanSpools(
        worker_id=shared.worker_id,
        directory=shared.data.path,
        launcher=ports.spools,
        sessions=ports.sessions,
        snapshots=ports.snapshots,
        peer_messages=ports.peer_messages,
        held=shared.registry.is_held,
        media=ports.media_intake,
        moves=shared.moves,
        sends=_left_sends(ports, shared),
    )


def _left_sends(ports: SessionPorts, shared: _Shared) -> LeftSends | None:
    if ports.uncertain is None:
        return None
    return LeftSends(
        worker_id=shared.worker_id,
        journals=ports.journals,
        uncertain=ports.uncertain,
        peer_messages=ports.peer_messages,
    )


def _ownership(ports: SessionPorts, shared: _Shared, orphan_spools: OrphanSpools) -> Ownership:
    registry = shared.registry
    rebinder = Rebinder(
        worker_id=shared.worker_id,
        bindings=ports.bindings,
        peer_messages=ports.peer_messages,
        pending=lambda session_id: registry.pending_of(session_id)[1],
        is_ours=lambda session_id: registry.held_session(session_id) is not None,
        lease_state=shared.lease_state,
    )
    return Ownership(
        registry=registry,
        directory=SessionDirectory(
            worker_id=shared.worker_id,
            registry=registry,
            sessions=ports.sessions,
            bindings=ports.bindings,
            is_portable=ports.snapshots.are_portable,
        ),
        departures=Departures(
            registry=registry,
            rebinder=rebinder,
            peer_messages=ports.peer_messages,
            background=shared.background,
            clear=orphan_spools.clear,
        ),
        stranded=StrandedSessions(
            worker_id=shared.worker_id,
            after_seconds=shared.limits.stranded_seconds,
            sessions=ports.sessions,
            relay=ports.relay,
            recorder=ports.recorder,
            traces=shared.traces,
        ),
        rebinder=rebinder,
    )
