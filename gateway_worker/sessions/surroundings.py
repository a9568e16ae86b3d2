"""What every session of a worker shares: the ports, the clock and the limits."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.hosting import HostLauncher
from gateway_worker.sessions.inbound.quarantine import QuarantineCount
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ports import (
    CommandBindings,
    DeviceSnapshots,
    EventRelay,
    MessageStore,
    Recorder,
    RouteCache,
    SessionObserver,
    SessionStore,
)
from gateway_worker.sessions.send_journal import SendJournals
from gateway_worker.sessions.store.directory_moves import DirectoryMoves


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Bounds in time and number.

    Attributes:
        connect_wait_seconds: How long a send waits at most for a session that is about to connect.
        qr_wait_seconds: How long `get_qr` waits for the first code.
        stranded_seconds: How long after the end of its worker's lease a session that nobody has
            taken over counts as stranded; then its commands are answered by who gets them.
        logout_seconds: How long a deletion waits for WhatsApp to unlink the device.
        restart_initial_seconds: First pause before a dead host is started again.
        restart_maximum_seconds: Longest such pause.
        first_copy_seconds: How long a newly linked session waits for the first copy of its store.
        rehearsal_seconds: How long, before a session leaves, what its handover needs may take to
            answer; it is connected meanwhile.
        quiesce_seconds: How long a session that is about to leave, and is not connected any more,
            is kept waiting for the same; then it goes on here.
        unacknowledged: Inbound records of one session that may await their commit.
        remembered_sends: Sent messages whose command id is kept in memory for their receipts.
    """

    connect_wait_seconds: float = 50.0
    qr_wait_seconds: float = 10.0
    stranded_seconds: float = 30.0
    logout_seconds: float = 10.0
    restart_initial_seconds: float = 0.2
    restart_maximum_seconds: float = 60.0
    first_copy_seconds: float = 5.0
    rehearsal_seconds: float = 3.0
    quiesce_seconds: float = 1.0
    unacknowledged: int = 256
    remembered_sends: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The outside of a session, the same for all of them.

    Attributes:
        worker_id: This worker.
        data_dir: Where each session has its directory, under `sessions/`.
        observer: Counts what happens.
        quarantined: Counts the arrivals that the database has refused; see `retelling`.
        moves: The directories that are being moved aside.
    """

    worker_id: str
    data_dir: Path
    launcher: HostLauncher
    recorder: Recorder
    sessions: SessionStore
    messages: MessageStore
    bindings: CommandBindings
    route_cache: RouteCache
    snapshots: DeviceSnapshots
    journals: SendJournals
    background: Background
    clock: Clock
    limits: SessionLimits
    observer: SessionObserver
    lease_state: LeaseState
    relay: EventRelay
    quarantined: QuarantineCount = field(default_factory=QuarantineCount)
    moves: DirectoryMoves = field(default_factory=DirectoryMoves)

    @property
    def source(self) -> str:
        """The `source` attribute of this worker's events."""
        return f"/workers/{self.worker_id}"

    def directory(self, session_id: str) -> Path:
        """The session's own directory: device store and spool."""
        return self.data_dir / "sessions" / session_id

    @property
    def parking(self) -> Path:
        """Where directories wait that no session here uses any more; see `OrphanSpools`."""
        return self.data_dir / "leftovers"
