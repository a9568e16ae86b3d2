"""One linked session of a worker; what leads outside does what a test says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway_contracts import Account, SessionState, SessionStatus, StatusReason
from gateway_contracts.commands import PairByQr
from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.sessions.build import Sessions
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.peer_messages import PeerMessages
from gateway_worker.sessions.ports import CommandBindings, SessionRow
from gateway_worker.sessions.session.session import Session
from gateway_worker.sessions.store.data_directory import DataDirectory
from tests.support.bindings import MemoryBindings, MemoryBroker
from tests.support.hosts import MemoryLauncher
from tests.support.ports import (
    QuietObserver,
    UnaskedSessions,
    session_ports,
    sessions_on,
)
from tests.support.recorder import MemoryRecorder
from tests.support.snapshots import MemorySnapshots

ACCOUNT = Account(jid="12025550100:1@s.whatsapp.net", phone_number="+12025550100")
LIMITS = SessionLimits(
    restart_initial_seconds=0.001,
    restart_maximum_seconds=0.01,
    rehearsal_seconds=0.2,
    quiesce_seconds=0.2,
)


def linked_row(session_id: str, *, epoch: int) -> SessionRow:
    """Return a session of the worker `me` that is linked and wants to be connected."""
    return SessionRow(
        session_id=session_id,
        state=SessionState.RECONNECTING,
        desired=DesiredState.RUNNING,
        pairing=PairByQr(),
        device_name="Test",
        account=ACCOUNT,
        worker_id="me",
        epoch=epoch,
        created_at=datetime.now(UTC),
    )


class Copies(MemorySnapshots):
    """Counts copies; may be away, or slow, from a certain copy on."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[bool] = []
        self.away_from = 1_000
        self.silent_from = 1_000

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """Make one, or do not."""
        number = len(self.made)
        if number >= self.away_from:
            raise DependencyError("away")
        if number >= self.silent_from:
            await asyncio.Event().wait()
        self.made.append(again)
        return await super().save(session_id, directory, epoch=epoch, again=again)


class Database(MemoryRecorder, UnaskedSessions):
    """Sessions table and recorder, which may both be away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def get(self, session_id: str) -> SessionRow | None:
        """Answer, or do not."""
        if self.is_away:
            raise DependencyError("away")
        self.asked += 1
        return None


class Observer(QuietObserver):
    """Counts restarts and ends of hosts."""

    def __init__(self) -> None:
        self.restarts = self.stops = 0
        self.exits: list[bool] = []

    def host_restarted(self) -> None:
        """Count it."""
        self.restarts += 1

    def host_exited(self, *, expected: bool) -> None:
        """Note it."""
        self.exits.append(expected)

    def library_stopped(self) -> None:
        """Count it."""
        self.stops += 1


class SessionHarness:
    """A session and those around it."""

    def __init__(self, directory: Path, limits: SessionLimits = LIMITS) -> None:
        self._limits = limits
        self.launcher = MemoryLauncher(ACCOUNT)
        self.copies = Copies()
        self.database = Database()
        self.observer = Observer()
        self.lost: list[Session] = []
        self.ports = replace(
            session_ports(self.database),
            launcher=self.launcher,
            sessions=self.database,
            bindings=MemoryBindings(MemoryBroker("me"), worker_id="me"),
            snapshots=self.copies,
            observer=self.observer,
        )
        self.data = DataDirectory(directory)
        self.sessions = self.worker()
        home = self.data.session("shop")
        home.mkdir(parents=True)
        (home / DEVICE_STORE_NAME).write_bytes(b"keys")
        (home / "epoch").write_text("3")
        self.session = self.sessions.factory.build(
            linked_row("shop", epoch=3), local_epoch=3, on_lost=self.lost.append
        )

    def worker(
        self,
        *,
        bindings: CommandBindings | None = None,
        peer_messages: PeerMessages | None = None,
    ) -> Sessions:
        """Return what holds the sessions of a worker on the same disk."""
        ports = replace(
            self.ports,
            bindings=bindings or self.ports.bindings,
            peer_messages=peer_messages or self.ports.peer_messages,
        )
        return sessions_on(ports, worker_id="me", directory=self.data.path, limits=self._limits)

    def states(self) -> Sequence[SessionState]:
        """Return the states that were recorded, in order."""
        updates = [change.session for change in self.database.changes]
        return [update.state for update in updates if update is not None and update.state]

    def reasons(self) -> Sequence[StatusReason | None]:
        """Return why the states were entered, as it was announced, in order."""
        events = [event for change in self.database.changes for event in change.events]
        return [event.data.reason for event in events if isinstance(event, SessionStatus)]

    async def begin(self) -> None:
        """Have the session connect, and forget what was recorded of that."""
        self.session.start(StatusReason.WORKER_RESTARTED)
        await self.connected()
        self.database.changes.clear()

    async def connected(self) -> None:
        """Wait for the connection."""
        await self.session.until_connected()
        assert self.session.is_connected

    async def end(self) -> None:
        """Leave nothing behind."""
        await self.session.close()
        await self.sessions.background.join()
