"""What follows from the events of a session's host: arrivals, the link's ups and downs, pairing."""

import asyncio
import time

import structlog

from gateway_contracts import Account, SessionState, StatusReason
from gateway_worker.host_protocol.envelope import Event, HistoryPage, VolatileEvent
from gateway_worker.host_protocol.signals import (
    Down,
    Ended,
    Exited,
    Linked,
    PairCode,
    PairingFailed,
    QrCode,
    Up,
)
from gateway_worker.host_protocol.wire import Person
from gateway_worker.sessions.changes import SessionValues
from gateway_worker.sessions.hosting import HostEvent
from gateway_worker.sessions.inbound.history import HistoryIntake
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.inbound.rows import MESSAGE_TYPES
from gateway_worker.sessions.observers import SessionObserver
from gateway_worker.sessions.session.disconnects import Disconnect, disconnect_of
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.session.supervisor import HostSupervisor
from gateway_worker.sessions.store.device_store import DeviceStore

log = structlog.get_logger(__name__)

_CONTESTS = 5
_CONTEST_SECONDS = 60.0
"""How often within how long a session that came from elsewhere takes its connection back."""


class HostEventHandler:
    """The listener of one session's hosts.

    Args:
        session_id: Whose hosts they are.
        machine: Told of every step.
        supervisor: Keeps the host alive, and hears of its ends here.
        inbound: Gets what arrives.
        history: Gets what was written before the account was linked.
        store: Copied as soon as the device is linked.
        came: Whether the session came from another worker.
        observer: Counts arrivals and restored connections.
        first_copy_seconds: How long a newly linked session waits for the first copy of its store.

    Attributes:
        is_closing: Whether the host is being stopped for good: a link that comes up does not count.
    """

    def __init__(  # noqa: PLR0913 - whatever a host tells has its own place
        self,
        *,
        session_id: str,
        machine: SessionStateMachine,
        supervisor: HostSupervisor,
        inbound: InboundRecorder,
        history: HistoryIntake,
        store: DeviceStore,
        came: bool,
        observer: SessionObserver,
        first_copy_seconds: float,
    ) -> None:
        self._log = log.bind(session_id=session_id)
        self._machine = machine
        self._supervisor = supervisor
        self._inbound = inbound
        self._history = history
        self._store = store
        self._came = came
        self._observer = observer
        self._first_copy_seconds = first_copy_seconds
        self._replaced: list[float] = []
        self._snapshot_due = False
        self.is_closing = False

    async def on_event(self, event: HostEvent) -> None:
        """Take the next event of the session's host."""
        match event:
            case Event():
                self._on_arrival(event)
            case VolatileEvent():
                self._inbound.record_volatile(event)
            case HistoryPage():
                if self._supervisor.host is not None:
                    self._history.take(event, self._supervisor.host.take_history)
            case Up() | Down() | Ended() | Exited():
                if isinstance(event, Up) and self._snapshot_due:
                    await self._first_copy()
                self._on_link(event)
            case QrCode() | PairCode() | Linked() | PairingFailed():
                self._on_pairing(event)

    def _on_arrival(self, event: Event) -> None:
        host = self._supervisor.host
        if host is None:
            return  # not acknowledged: its spool brings it again
        if event.type in MESSAGE_TYPES:
            self._observer.message_arrived()
        self._inbound.record(event, host.acknowledge)

    def _on_link(self, event: Up | Down | Ended | Exited) -> None:
        match event:
            case Up():
                self._on_link_up(_account(event.account))
            case Down():
                if self._machine.state is SessionState.CONNECTED:
                    silent, lost = StatusReason.SILENT, StatusReason.CONNECTION_LOST
                    self._machine.enter(
                        SessionState.RECONNECTING,
                        silent if event.is_silent else lost,
                        detail=event.detail,
                    )
            case Ended():
                self._supervisor.ended(self._disconnect_of(event))
            case Exited():
                self._history.stop()
                self._machine.clear_qr()
                self._supervisor.exited(event)

    def _on_link_up(self, account: Account) -> None:
        self._supervisor.healthy()
        if self._machine.state is SessionState.CONNECTED or self.is_closing:
            return
        if self._machine.state is SessionState.RECONNECTING:
            self._observer.link_restored()
        self._machine.account = account
        self._machine.enter(
            SessionState.CONNECTED,
            StatusReason.LOGIN_SUCCEEDED,
            update=SessionValues(account=account),
        )

    def _disconnect_of(self, event: Ended) -> Disconnect:
        """Return what follows from the end of the connection.

        The one who replaced the connection of a session that came from another worker may be that
        worker, waking up after it was given up for dead: then this one has to insist.
        """
        ending = disconnect_of(event)
        if ending.reason is not StatusReason.STREAM_REPLACED or not self._came:
            return ending
        now = time.monotonic()
        self._replaced = [at for at in self._replaced if now - at < _CONTEST_SECONDS] + [now]
        if len(self._replaced) > _CONTESTS:
            return ending
        return Disconnect(SessionState.RECONNECTING, ending.reason, ending.detail)

    async def _first_copy(self) -> None:
        """Copy the store of a device that was just linked, before it counts as connected.

        A worker that died before would leave a link that only its own disk knows of.
        """
        self._snapshot_due = False
        try:
            async with asyncio.timeout(self._first_copy_seconds):
                await self._store.save_if_possible()
        except TimeoutError:
            self._log.warning("session.first_copy_late")

    def _on_pairing(self, event: QrCode | PairCode | Linked | PairingFailed) -> None:
        match event:
            case QrCode():
                self._machine.show_qr(event.code, event.valid_seconds)
            case PairCode():
                self._machine.show_pair_code(event.code, event.valid_seconds)
            case PairingFailed():
                self._supervisor.ended(disconnect_of(event))
            case Linked():
                self._snapshot_due = True
                self._machine.clear_qr()
                self._machine.account = account = _account(event.account)
                self._machine.enter(
                    SessionState.CONNECTING,
                    StatusReason.PAIRED,
                    update=SessionValues(account=account),
                )


def _account(person: Person) -> Account:
    return Account(
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
        push_name=person.push_name,
    )
