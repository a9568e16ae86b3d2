"""Puts sessions together: each part gets what it needs, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from gateway_worker.media.arriving.intake import MediaIntake
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.changes import source_of
from gateway_worker.sessions.chat_timers import ChatTimers
from gateway_worker.sessions.hosting import HostLauncher, HostSpec
from gateway_worker.sessions.inbound.call_screening import Answer, CallScreening
from gateway_worker.sessions.inbound.history import HistoryIntake, HistoryTurns
from gateway_worker.sessions.inbound.left_sends import LeftSends
from gateway_worker.sessions.inbound.quarantine import Quarantine, QuarantineCount
from gateway_worker.sessions.inbound.quarantine_retry import QuarantineRetry
from gateway_worker.sessions.inbound.receipt_traces import ReceiptTraces
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.observers import ReceiptTracing, SessionObserver
from gateway_worker.sessions.ports import (
    DeviceSnapshots,
    PastMessages,
    Recorder,
    RouteCache,
    SessionRow,
    SessionStore,
)
from gateway_worker.sessions.proxies import Proxies
from gateway_worker.sessions.send_journal import SendJournals
from gateway_worker.sessions.session.earlier_sends import EarlierSends
from gateway_worker.sessions.session.host_events import HostEventHandler
from gateway_worker.sessions.session.host_specs import HostSpecs
from gateway_worker.sessions.session.parts import SessionParts
from gateway_worker.sessions.session.qr_codes import QrCodes
from gateway_worker.sessions.session.quiesce import Quiescer
from gateway_worker.sessions.session.reachout import ReachoutHold
from gateway_worker.sessions.session.session import Session
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.session.supervisor import HostSupervisor
from gateway_worker.sessions.session.traces import SessionTraces
from gateway_worker.sessions.store.data_directory import DataDirectory
from gateway_worker.sessions.store.device_store import DeviceStore
from gateway_worker.sessions.store.directory_moves import DirectoryMoves

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFactory:
    """Makes the sessions of one worker.

    Attributes:
        worker_id: This worker.
        data: Where their directories are.
        launcher: Starts their hosts.
        recorder: Commits what happens to them.
        sessions: The sessions table.
        route_cache: Shows backends their states.
        snapshots: Has the copies of their device stores.
        journals: Tell what became of interrupted sends.
        traces: What they leave outside of database and disk.
        background: What may go on after the command that has begun it.
        clock: The time.
        limits: For how long and how much.
        observer: Counts what happens.
        lease_state: Whether hosts may run.
        quarantined: Counts arrivals that the database has refused.
        moves: The directories that are being moved aside.
        is_behind: Whether events go out late.
        answer_call: Makes what the caller of a call that is refused is written.
        media: Enters the files that come with messages; without it none are fetched.
        proxies: Knows what leads to their proxies.
        past: Writes messages from before they were linked.
        history_turns: Has them do so one after the other.
        tracing: Traces receipts; without it none is traced.
        left_sends: Knows what became of sends of sessions that come back; without it nobody asks.
    """

    worker_id: str
    data: DataDirectory
    launcher: HostLauncher
    recorder: Recorder
    sessions: SessionStore
    route_cache: RouteCache
    snapshots: DeviceSnapshots
    journals: SendJournals
    traces: SessionTraces
    background: Background
    clock: Clock
    limits: SessionLimits
    observer: SessionObserver
    lease_state: LeaseState
    quarantined: QuarantineCount
    moves: DirectoryMoves
    is_behind: Callable[[], bool]
    answer_call: Answer
    proxies: Proxies
    past: PastMessages
    history_turns: HistoryTurns
    media: MediaIntake | None = None
    tracing: ReceiptTracing | None = None
    left_sends: LeftSends | None = None

    def build(
        self,
        row: SessionRow,
        *,
        local_epoch: int | None = None,
        on_lost: Callable[[Session], None] = lambda _session: None,
    ) -> Session:
        """Return a session, which does nothing yet.

        Args:
            row: The session as the database has it.
            local_epoch: See `DeviceStore`.
            on_lost: Called once if another worker turns out to own the session.
        """
        parts = self._parts(row, local_epoch)
        session = Session(
            row=row,
            worker_id=self.worker_id,
            parts=parts,
            traces=self.traces,
            clock=self.clock,
            limits=self.limits,
            on_lost=on_lost,
        )
        if self.left_sends is not None:
            parts.store.before_replacing(partial(_take_over, session, parts.store, self.left_sends))
        return session

    def _parts(self, row: SessionRow, local_epoch: int | None) -> SessionParts:
        machine = SessionStateMachine(
            row=row,
            worker_id=self.worker_id,
            recorder=self.recorder,
            route_cache=self.route_cache,
            background=self.background,
            clock=self.clock,
        )
        store = self._store(row, local_epoch)
        supervisor = self._supervisor(row, machine, store)
        quarantine = Quarantine(store.directory)
        sends = self._sends()
        timers = ChatTimers()
        screening = self._screening(row, supervisor)
        inbound = self._inbound(row, machine, quarantine, sends, timers, screening)
        history = self._history(row, machine, inbound)
        host_events = HostEventHandler(
            session_id=row.session_id,
            machine=machine,
            supervisor=supervisor,
            inbound=inbound,
            history=history,
            store=store,
            came=bool(row.pending),
            observer=self.observer,
            first_copy_seconds=self.limits.first_copy_seconds,
        )
        return SessionParts(
            machine=machine,
            supervisor=supervisor,
            host_events=host_events,
            store=store,
            quiescer=self._quiescer(row, machine, supervisor, host_events, store),
            sends=sends,
            reachout=self._reachout(row, machine),
            timers=timers,
            screening=screening,
            inbound=inbound,
            history=history,
            quarantine_retry=QuarantineRetry(
                session_id=row.session_id,
                epoch=row.epoch,
                quarantine=quarantine,
                record=machine.record,
            ),
            qr=self._qr(row, machine),
            earlier_sends=self._earlier_sends(row, machine, store, sends),
        )

    def _qr(self, row: SessionRow, machine: SessionStateMachine) -> QrCodes:
        return QrCodes(
            machine=machine,
            pairing=row.pairing,
            clock=self.clock,
            wait_seconds=self.limits.qr_wait_seconds,
        )

    def _earlier_sends(
        self,
        row: SessionRow,
        machine: SessionStateMachine,
        store: DeviceStore,
        sends: SendsInProgress,
    ) -> EarlierSends:
        return EarlierSends(
            row=row,
            worker_id=self.worker_id,
            directory=store.directory,
            journals=self.journals,
            record=machine.record,
            sends=sends,
        )

    def _sends(self) -> SendsInProgress:
        remembered, traces = self.limits.remembered_sends, None
        if self.tracing is not None:
            traces = ReceiptTraces(tracing=self.tracing, remembered=remembered)
        return SendsInProgress(
            remembered=remembered, on_confirmed=self.observer.message_confirmed, traces=traces
        )

    def _screening(self, row: SessionRow, supervisor: HostSupervisor) -> CallScreening:
        return CallScreening(
            session_id=row.session_id,
            calls=row.settings.calls,
            host=lambda: supervisor.host,
            answer=self.answer_call,
            background=self.background,
            clock=self.clock,
            rejected=self.observer.call_rejected,
        )

    def _history(
        self, row: SessionRow, machine: SessionStateMachine, inbound: InboundRecorder
    ) -> HistoryIntake:
        return HistoryIntake(
            session_id=row.session_id,
            source=source_of(self.worker_id),
            epoch=row.epoch,
            past=self.past,
            record=inbound.record_arrival,
            turns=self.history_turns,
            is_behind=self.is_behind,
            has_left=lambda: machine.fenced or machine.has_left,
            on_unsupported=self.observer.arrival_unsupported,
        )

    def _reachout(self, row: SessionRow, machine: SessionStateMachine) -> ReachoutHold:
        return ReachoutHold(
            session_id=row.session_id,
            state=row.reachout,
            clock=self.clock,
            initial_seconds=self.limits.reachout_hold_seconds,
            maximum_seconds=self.limits.reachout_hold_maximum_seconds,
            write=machine.note_reachout,
            on_refused=self.observer.reachout_refused,
        )

    def _store(self, row: SessionRow, local_epoch: int | None) -> DeviceStore:
        return DeviceStore(
            session_id=row.session_id,
            epoch=row.epoch,
            first_epoch=row.first_epoch,
            local_epoch=local_epoch,
            directory=self.data.session(row.session_id),
            parking=self.data.parking,
            snapshots=self.snapshots,
            moves=self.moves,
        )

    def _supervisor(
        self, row: SessionRow, machine: SessionStateMachine, store: DeviceStore
    ) -> HostSupervisor:
        spec = HostSpec(
            session_id=row.session_id,
            directory=store.directory,
            resume_jid=None,
            pairing=row.pairing,
            device_name=row.device_name,
            worker_id=self.worker_id,
            epoch=row.epoch,
        )
        return HostSupervisor(
            specs=HostSpecs(always=spec, settings=row.settings, proxies=self.proxies),
            machine=machine,
            store=store,
            launcher=self.launcher,
            lease_state=self.lease_state,
            observer=self.observer,
            background=self.background,
            limits=self.limits,
        )

    def _inbound(
        self,
        row: SessionRow,
        machine: SessionStateMachine,
        quarantine: Quarantine,
        sends: SendsInProgress,
        timers: ChatTimers,
        screening: CallScreening,
    ) -> InboundRecorder:
        return InboundRecorder(
            session_id=row.session_id,
            source=source_of(self.worker_id),
            record=machine.record,
            epoch=row.epoch,
            quarantine=quarantine.keep,
            sends=sends,
            media=self.media,
            timers=timers,
            screening=screening,
            on_quarantined=self.quarantined.note,
            on_unsupported=self.observer.arrival_unsupported,
            is_behind=self.is_behind,
            on_dropped=self.observer.notice_dropped,
        )

    def _quiescer(
        self,
        row: SessionRow,
        machine: SessionStateMachine,
        supervisor: HostSupervisor,
        host_events: HostEventHandler,
        store: DeviceStore,
    ) -> Quiescer:
        return Quiescer(
            session_id=row.session_id,
            machine=machine,
            supervisor=supervisor,
            host_events=host_events,
            store=store,
            lease_state=self.lease_state,
            sessions=self.sessions,
            limits=self.limits,
        )


async def _take_over(session: Session, store: DeviceStore, left: LeftSends, epoch: int) -> None:
    """Record what became of sends of a time when the session was here; others had it since.

    Which message one would be is found in the store of that time, which is about to be replaced.
    """
    found = await left.find(session.session_id, store.directory, epoch=epoch)
    if found:
        await session.earlier_sends.record_found(found)
        log.info("session.left_sends_found", session_id=session.session_id, sends=len(found))
