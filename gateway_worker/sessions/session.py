"""One WhatsApp account on this worker.

A session is driven from two sides. Commands come one at a time from its mailbox (`start`, `stop`,
`send_text` …). The host's events come in order to `_on_host_event`. `Standing` holds the state that
both change, `HostSupervisor` keeps the host alive, `Inbound` records what arrives.
"""

import asyncio
from functools import partial

import structlog

from gateway_contracts import Account, SessionInfo, SessionState, StatusReason
from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    SessionNotConnectedError,
)
from gateway_worker.sessions.changes import DesiredState, SessionUpdate
from gateway_worker.sessions.endings import Ending, ending_of
from gateway_worker.sessions.inbound import Inbound, SentIndex
from gateway_worker.sessions.ports import (
    CurrentQr,
    HostEvent,
    HostExited,
    HostSpec,
    InboundMessage,
    InboundReceipt,
    LinkDown,
    LinkEnded,
    LinkUp,
    OutgoingText,
    PairCodeIssued,
    Paired,
    PairingEnded,
    QrIssued,
    SentMessage,
    SessionHost,
    SessionRow,
    UndecryptableMessage,
)
from gateway_worker.sessions.refusals import keep_refused
from gateway_worker.sessions.standing import Standing
from gateway_worker.sessions.states import is_running
from gateway_worker.sessions.store_files import forget_device, has_device_store, remove_directory
from gateway_worker.sessions.supervisor import HostSupervisor
from gateway_worker.sessions.surroundings import Surroundings

log = structlog.get_logger(__name__)


class Session:
    """A session that this worker owns.

    Args:
        row: The session as the database has it.
        around: What all sessions share.
    """

    def __init__(self, *, row: SessionRow, around: Surroundings) -> None:
        self._row = row
        self._around = around
        self._log = log.bind(session_id=row.session_id)
        self._snapshot_due = False
        self._standing = Standing(row=row, around=around, on_fenced=self._on_fenced)
        self._supervisor = HostSupervisor(
            session_id=row.session_id,
            around=around,
            standing=self._standing,
            spec=self._spec,
            listener=self._on_host_event,
            conclude=self._conclude,
        )
        self.sent = SentIndex(
            session_id=row.session_id,
            messages=around.messages,
            size=around.limits.remembered_sends,
        )
        self._inbound = Inbound(
            session_id=row.session_id,
            source=around.source,
            sent=self.sent,
            record=self._standing.record,
            epoch=row.epoch,
            unacknowledged=around.limits.unacknowledged,
            keep_refused=partial(keep_refused, around.directory(row.session_id)),
        )

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._row.session_id

    @property
    def epoch(self) -> int:
        """The fencing epoch under which this worker owns the session."""
        return self._row.epoch

    @property
    def state(self) -> SessionState:
        """How the session stands."""
        return self._standing.state

    @property
    def account(self) -> Account | None:
        """The account that it is linked to."""
        return self._standing.account

    @property
    def fenced(self) -> bool:
        """Whether another worker owns the session by now."""
        return self._standing.fenced

    @property
    def host_pid(self) -> int | None:
        """The process id of the session's host, if one runs."""
        return self._supervisor.host.pid if self._supervisor.host else None

    def info(self) -> SessionInfo:
        """Return the session as a backend sees it."""
        return SessionInfo(
            state=self.state,
            worker=self._around.worker_id,
            account=self.account,
            labels=self._row.labels,
            created_at=self._row.created_at,
        )

    def fence(self) -> None:
        """Note that another worker owns the session by now."""
        self._standing.fence()

    # Commands, one at a time.

    def announce_created(self) -> None:
        """Announce a session that was just created."""
        self._standing.announce_created()

    def start(self, reason: StatusReason) -> None:
        """Begin to keep a host running. Does nothing if that is the case already."""
        if self._supervisor.active:
            return
        self._standing.begin_pairing()
        self._standing.enter(
            SessionState.CONNECTING if self.account else SessionState.PAIRING,
            reason,
            update=SessionUpdate(desired=DesiredState.RUNNING),
        )
        self._supervisor.start()

    async def stop(self) -> None:
        """Disconnect and stay stopped until `start`; an end that came before remains."""
        await self._halt()
        if self.state is SessionState.CREATED or is_running(self.state):
            self._standing.enter(
                SessionState.STOPPED,
                StatusReason.REQUESTED,
                update=SessionUpdate(desired=DesiredState.STOPPED),
            )
        await self._snapshot()

    async def shut_down(self) -> None:
        """Leave because the worker stops: the session goes on when a worker takes it up again."""
        await self._halt()
        if not self.fenced and is_running(self.state):
            self._standing.enter(SessionState.RECONNECTING, StatusReason.WORKER_DRAINING)
            await self._snapshot()

    async def logout(self) -> None:
        """Unlink the device at WhatsApp and forget it here.

        Raises:
            InvalidCommandError: The session is not linked.
            SessionNotConnectedError: There is no connection over which to say so.
            UpstreamTimeoutError: WhatsApp did not answer; the session is as it was.
        """
        if self.account is None:
            raise InvalidCommandError("the session is not linked to an account")
        host = await self._connected_host()
        await host.logout()
        await self._halt()
        await self._conclude(
            Ending(SessionState.LOGGED_OUT, StatusReason.LOGGED_OUT_BY_COMMAND, forget=True)
        )

    async def destroy(self) -> None:
        """Unlink if possible and remove every trace outside the database. Idempotent.

        Raises:
            DependencyError: A trace could not be removed; the deletion has to be tried again.
        """
        host = self._supervisor.host
        if host is not None and self.state is SessionState.CONNECTED:
            try:
                async with asyncio.timeout(self._around.limits.logout_seconds):
                    await host.logout()
            except (GatewayError, TimeoutError) as error:
                self._log.warning("session.unlink_failed", reason=repr(error))
        await self._halt()
        await self._around.routes.unbind(self.session_id)
        await self._around.snapshots.delete(self.session_id)
        await self._around.background.run(
            self.session_id, lambda: self._around.routing.remove(self.session_id)
        )
        await asyncio.to_thread(remove_directory, self._around.directory(self.session_id))

    async def send_text(self, message: OutgoingText) -> SentMessage:
        """Send a text, after a bounded wait if the session is about to connect.

        Raises:
            SessionNotConnectedError: It did not connect in time; nothing was sent.
            GatewayError: As the host says.
        """
        host = await self._connected_host()
        return await host.send_text(message)

    async def current_qr(self) -> CurrentQr:
        """Return the QR code to scan, after a bounded wait for the first one.

        Raises:
            InvalidCommandError: The session is linked, or pairs by code.
            SessionNotConnectedError: There is no code now.
        """
        if self.account is not None:
            raise InvalidCommandError("the session is linked already")
        if self._row.pairing.method != "qr":
            raise InvalidCommandError("the session pairs by code, not by QR")
        await self._standing.wait_until(
            lambda: self._standing.qr is not None or not is_running(self.state),
            self._around.limits.qr_wait_seconds,
        )
        qr = self._standing.qr
        if qr is None or qr.expires_at <= self._around.clock.now():
            raise SessionNotConnectedError(f"there is no QR code; the session is {self.state}")
        return qr

    # The host's events, in order.

    async def _on_host_event(self, event: HostEvent) -> None:
        match event:
            case InboundMessage() | InboundReceipt() | UndecryptableMessage():
                await self._on_arrival(event)
            case LinkUp() | LinkDown() | LinkEnded() | HostExited():
                self._on_link(event)
            case QrIssued() | PairCodeIssued() | Paired() | PairingEnded():
                self._on_pairing(event)

    async def _on_arrival(
        self, event: InboundMessage | InboundReceipt | UndecryptableMessage
    ) -> None:
        host = self._supervisor.host
        if host is None:
            return  # not acknowledged: its spool brings it again
        if isinstance(event, InboundMessage):
            self._around.observer.message_arrived()
            await self._inbound.message(event, host.acknowledge)
        elif isinstance(event, UndecryptableMessage):
            await self._inbound.undecryptable(event, host.acknowledge)
        else:
            await self._inbound.receipt(event, host.acknowledge)

    def _on_link(self, event: LinkUp | LinkDown | LinkEnded | HostExited) -> None:
        match event:
            case LinkUp():
                self._on_link_up(event.account)
            case LinkDown():
                if self.state is SessionState.CONNECTED:
                    self._standing.enter(
                        SessionState.RECONNECTING, StatusReason.CONNECTION_LOST, detail=event.detail
                    )
            case LinkEnded():
                self._supervisor.ended(ending_of(event))
            case HostExited():
                self._standing.clear_qr()
                self._supervisor.exited(event)

    def _on_link_up(self, account: Account) -> None:
        self._supervisor.healthy()
        if self.state is SessionState.CONNECTED:
            return
        if self.state is SessionState.RECONNECTING:
            self._around.observer.link_restored()
        self._standing.account = account
        self._standing.enter(
            SessionState.CONNECTED,
            StatusReason.LOGIN_SUCCEEDED,
            update=SessionUpdate(account=account),
        )
        if self._snapshot_due:
            self._snapshot_due = False
            self._around.background.post(f"snapshot:{self.session_id}", self._snapshot)

    def _on_pairing(self, event: QrIssued | PairCodeIssued | Paired | PairingEnded) -> None:
        match event:
            case QrIssued():
                self._standing.show_qr(event.code, event.valid_seconds)
            case PairCodeIssued():
                self._standing.show_pair_code(event.code, event.valid_seconds)
            case PairingEnded():
                self._supervisor.ended(ending_of(event))
            case Paired():
                self._snapshot_due = True
                self._standing.clear_qr()
                self._standing.account = event.account
                self._standing.enter(
                    SessionState.CONNECTING,
                    StatusReason.PAIRED,
                    update=SessionUpdate(account=event.account),
                )

    # Inside.

    def _spec(self) -> HostSpec:
        return HostSpec(
            session_id=self.session_id,
            directory=self._around.directory(self.session_id),
            resume_jid=self.account.jid if self.account else None,
            pairing=self._row.pairing,
            device_name=self._row.device_name,
        )

    async def _halt(self) -> None:
        await self._supervisor.halt()
        self._standing.clear_qr()

    async def _conclude(self, ending: Ending) -> None:
        """Go to a final state; the store of an unlinked device is void, so it goes."""
        if ending.forget:
            await asyncio.to_thread(forget_device, self._around.directory(self.session_id))
            try:
                await self._around.snapshots.delete(self.session_id)
            except GatewayError as error:
                self._log.warning("session.snapshot_not_deleted", reason=str(error))
        self._standing.end(ending)

    async def _connected_host(self) -> SessionHost:
        await self._standing.wait_until(
            lambda: self.state is SessionState.CONNECTED or not is_running(self.state),
            self._around.limits.connect_wait_seconds,
        )
        host = self._supervisor.host
        if self.state is not SessionState.CONNECTED or host is None:
            raise SessionNotConnectedError(f"the session is {self.state}")
        return host

    async def _snapshot(self) -> None:
        directory = self._around.directory(self.session_id)
        if self.account is None or not has_device_store(directory):
            return
        try:
            await self._around.snapshots.save(self.session_id, directory)
        except GatewayError as error:
            self._log.warning("session.snapshot_failed", reason=str(error))

    def _on_fenced(self) -> None:
        self._around.background.post(f"fence:{self.session_id}", self._halt)
