"""What one session is made of."""

from dataclasses import dataclass

from gateway_worker.sessions.chat_timers import ChatTimers
from gateway_worker.sessions.inbound.call_screening import CallScreening
from gateway_worker.sessions.inbound.history import HistoryIntake
from gateway_worker.sessions.inbound.quarantine_retry import QuarantineRetry
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.session.earlier_sends import EarlierSends
from gateway_worker.sessions.session.host_events import HostEventHandler
from gateway_worker.sessions.session.qr_codes import QrCodes
from gateway_worker.sessions.session.quiesce import Quiescer
from gateway_worker.sessions.session.reachout import ReachoutHold
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.session.supervisor import HostSupervisor
from gateway_worker.sessions.store.device_store import DeviceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """What a session is made of; `SessionFactory` joins it.

    Attributes:
        machine: Its state.
        supervisor: Keeps its host alive.
        host_events: Gets the host's events.
        store: Its device store.
        quiescer: Gets it ready to leave.
        sends: Those that are executing.
        reachout: Whether new chats may be begun.
        timers: When the messages of its chats disappear.
        screening: Refuses calls, if that is set.
        inbound: Records what arrives, here or at a former owner.
        history: Records what was written before the account was linked, likewise.
        quarantine_retry: Records again those of its arrivals that the database has refused.
        qr: The codes to scan, until it is linked.
        earlier_sends: What became of sends that earlier runs have begun.
    """

    machine: SessionStateMachine
    supervisor: HostSupervisor
    host_events: HostEventHandler
    store: DeviceStore
    quiescer: Quiescer
    sends: SendsInProgress
    reachout: ReachoutHold
    timers: ChatTimers
    screening: CallScreening
    inbound: InboundRecorder
    history: HistoryIntake
    quarantine_retry: QuarantineRetry
    qr: QrCodes
    earlier_sends: EarlierSends
