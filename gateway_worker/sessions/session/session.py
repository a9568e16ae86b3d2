"""One WhatsApp account on this worker.

A session is driven from two sides. Commands come one at a time from its mailbox (`start`, `stop`,
`request` …), the host's events in order to `HostEventHandler`. `SessionStateMachine` holds the
state that both change, `HostSupervisor` keeps the host alive, `InboundRecorder` records what
arrives.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from gateway_contracts import (
    Account,
    SessionInfo,
    SessionSettings,
    SessionState,
    SessionUpdateData,
    StatusReason,
)
from gateway_worker.errors import (
    AccountRestrictedError,
    ExpiredError,
    GatewayError,
    SessionNotConnectedError,
    SessionNotLinkedError,
)
from gateway_worker.host_protocol.methods.method import Effect, Method, R
from gateway_worker.host_protocol.methods.session import Logout
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.changes import Change, Committed, DesiredState, SessionValues
from gateway_worker.sessions.hosting import SessionHost
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.session.disconnects import Disconnect
from gateway_worker.sessions.session.parts import SessionParts
from gateway_worker.sessions.session.traces import SessionTraces
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.sessions.settings import told_settings, with_changes
from gateway_worker.sessions.store.snapshot_schedule import StoreFiles

log = structlog.get_logger(__name__)


class Session:
    """A session that this worker owns.

    Args:
        row: The session as the database has it.
        worker_id: This worker.
        parts: What it is made of.
        traces: What it leaves outside of database and disk.
        clock: For when WhatsApp was last heard.
        limits: For how long is waited.
        on_lost: Called once if another worker turns out to own the session.

    Attributes:
        pending: The markers that its commands wait for, after it came from another worker.
        sends: Those that are executing.
        reachout: Whether new chats may be begun.
        timers: When the messages of its chats disappear.
        quarantine_retry: Records again those of its arrivals that the database has refused.
        qr: The codes to scan, until it is linked.
        earlier_sends: What became of sends that earlier runs have begun.
    """

    def __init__(
        self,
        *,
        row: SessionRow,
        worker_id: str,
        parts: SessionParts,
        traces: SessionTraces,
        clock: Clock,
        limits: SessionLimits,
        on_lost: Callable[["Session"], None],
    ) -> None:
        self._row = row
        self._worker_id = worker_id
        self._machine = parts.machine
        self._supervisor = parts.supervisor
        self._screening = parts.screening
        self._host_events = parts.host_events
        self._store = parts.store
        self._quiescer = parts.quiescer
        self._inbound = parts.inbound
        self._history = parts.history
        self._traces = traces
        self._clock = clock
        self._limits = limits
        self._on_lost = on_lost
        self._log = log.bind(session_id=row.session_id)
        self._heard_at: datetime | None = None
        self._retries = self._host_retries = 0
        self.pending = row.pending
        self.sends = parts.sends
        self.reachout = parts.reachout
        self.timers = parts.timers
        self.quarantine_retry = parts.quarantine_retry
        self.qr = parts.qr
        self.earlier_sends = parts.earlier_sends
        self._machine.when_fenced(self._on_fenced)

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._row.session_id

    @property
    def epoch(self) -> int:
        """The fencing epoch under which this worker owns the session."""
        return self._row.epoch

    @property
    def worker_id(self) -> str:
        """This worker."""
        return self._worker_id

    @property
    def first_epoch(self) -> int:
        """The epoch with which the session was created."""
        return self._row.first_epoch

    @property
    def created_at(self) -> datetime:
        """When it was created."""
        return self._row.created_at

    @property
    def settings(self) -> SessionSettings:
        """What its backend has set; what is absent is the worker's own."""
        return self._row.settings

    @property
    def state(self) -> SessionState:
        """How the session stands."""
        return self._machine.state

    @property
    def account(self) -> Account | None:
        """The account that it is linked to."""
        return self._machine.account

    @property
    def fenced(self) -> bool:
        """Whether another worker owns the session by now."""
        return self._machine.fenced

    @property
    def is_connected(self) -> bool:
        """Whether messages can be sent now."""
        return self.state is SessionState.CONNECTED and self._supervisor.host is not None

    @property
    def is_running(self) -> bool:
        """Whether it is connected or about to be."""
        return is_running(self.state)

    @property
    def is_linked(self) -> bool:
        """Whether it has an account."""
        return self.account is not None

    @property
    def is_connecting(self) -> bool:
        """Whether it is linked, and is connected or about to be, so that a send may wait for it."""
        return self.is_linked and self.is_running and not self.fenced

    def seconds_to_connect(self, arrived: float) -> float:
        """Return how long a command may still wait for the connection; 0 if none will come.

        Args:
            arrived: When the command came, by the monotonic clock. Its time begins then, or when
                the connection was lost.
        """
        if not self.is_connecting:
            return 0.0
        began = max(arrived, self._machine.disconnected_since)
        return began + self._limits.connect_wait_seconds - time.monotonic()

    @property
    def is_leaving(self) -> bool:
        """Whether it is on its way to another worker, or has been lost to one."""
        return self._host_events.is_closing or self.fenced

    @property
    def is_quiesced(self) -> bool:
        """Whether it is ready to go to another worker: all of it has been copied."""
        return self._quiescer.is_quiesced

    @property
    def host_pid(self) -> int | None:
        """The process id of the session's host, if one runs."""
        return self._supervisor.host.pid if self._supervisor.host else None

    @property
    def directory(self) -> Path:
        """What is its own on disk; its host can read it."""
        return self._store.directory

    @property
    def store_files(self) -> StoreFiles:
        """Where its device store is, for copies."""
        return StoreFiles(
            session_id=self.session_id, directory=self._store.directory, epoch=self.epoch
        )

    def info(self) -> SessionInfo:
        """Return the session as a backend sees it."""
        return SessionInfo(
            state=self.state,
            worker=self._worker_id,
            account=self.account,
            labels=self._row.labels,
            metadata=self._row.metadata,
            created_at=self._row.created_at,
            heard_at=self._heard_at if self.is_connected else None,
            **told_settings(self._row.settings),
        )

    @property
    def retry_receipts(self) -> int:
        """How often devices have asked for messages again, as far as its hosts were heard."""
        return self._retries

    def heard(self, seconds_ago: float | None, *, retries: int) -> None:
        """Note when WhatsApp has last sent anything.

        Args:
            seconds_ago: How long ago that was; None if there is no connection.
            retries: How often devices have asked the present host for messages again.
        """
        if seconds_ago is not None:
            self._heard_at = self._clock.now() - timedelta(seconds=seconds_ago)
        counted = self._host_retries if retries >= self._host_retries else 0  # of a host before
        self._retries += retries - counted
        self._host_retries = retries

    def connect_anew(self, detail: str) -> None:
        """Have another host connect: nothing comes over the connection that stands."""
        self._supervisor.ended(Disconnect(SessionState.RECONNECTING, StatusReason.SILENT, detail))

    def fence(self) -> None:
        """Note that another worker owns the session by now."""
        self._machine.fence()

    # Commands, one at a time.

    def announce_created(self) -> None:
        """Announce a session that was just created."""
        self._machine.announce_created()

    def start(self, reason: StatusReason) -> None:
        """Begin to keep a host running. Does nothing if that is the case already."""
        if self._supervisor.active:
            return
        self._machine.begin_pairing()
        self._machine.enter(
            SessionState.CONNECTING if self.account else SessionState.PAIRING,
            reason,
            update=SessionValues(desired=DesiredState.RUNNING),
        )
        self._supervisor.start(self._host_events.on_event)

    async def update(self, data: SessionUpdateData) -> SessionValues:
        """Take over what its backend sets, here and in its host; returns what is to be written."""
        self._row, values = with_changes(self._row, data)
        self._machine.notify()
        if values.settings is not None:
            self._screening.calls = self._row.settings.calls
            await self._supervisor.configure(values.settings)
            # Another change may have come meanwhile and be committed first: this one must keep it.
            values = replace(values, settings=self._row.settings)
        return values

    async def stop(self) -> None:
        """Disconnect and stay stopped until `start`; an end that came before remains."""
        await self._supervisor.halt()
        if self.state is SessionState.CREATED or is_running(self.state):
            self._machine.enter(
                SessionState.STOPPED,
                StatusReason.REQUESTED,
                update=SessionValues(desired=DesiredState.STOPPED),
            )
        await self._store.save_if_possible()

    async def shut_down(self) -> None:
        """Leave because the worker stops: the session goes on when a worker takes it up again."""
        await self._supervisor.halt()
        if not self.fenced and is_running(self.state):
            self._machine.enter(SessionState.RECONNECTING, StatusReason.WORKER_DRAINING)
            await self._store.save_if_possible()

    async def quiesce(self, reason: StatusReason) -> None:
        """Get ready to go to another worker; see `Quiescer`.

        Raises:
            GatewayError: It must not go, and goes on here.
        """
        await self._quiescer.quiesce(reason, resume=self.resume)

    def resume(self) -> None:
        """Go on here after all."""
        self._quiescer.undo()
        if is_running(self.state) and not self.fenced:
            self.start(StatusReason.REQUESTED)

    async def close(self) -> None:
        """End the host of a session that another worker owns. Idempotent."""
        await self._supervisor.halt()

    async def logout(self) -> None:
        """Unlink the device at WhatsApp and forget it here.

        Raises:
            SessionNotLinkedError: As it says.
            AccountRestrictedError: WhatsApp has banned the account.
            SessionNotConnectedError: There is no connection over which to say so.
            UpstreamTimeoutError: WhatsApp did not answer; the session is as it was.
        """
        if self.account is None:
            raise SessionNotLinkedError("there is no device to unlink")
        await self._connected_host().request(Logout())
        await self._supervisor.halt()
        await self._supervisor.conclude(
            Disconnect(SessionState.LOGGED_OUT, StatusReason.LOGGED_OUT_BY_COMMAND, forget=True)
        )

    async def destroy(self) -> None:
        """Unlink if possible and remove every trace outside the database. Idempotent.

        Raises:
            DependencyError: A trace could not be removed; the deletion has to be tried again.
        """
        host = self._supervisor.host
        if host is not None and self.state is SessionState.CONNECTED:
            try:
                async with asyncio.timeout(self._limits.logout_seconds):
                    await host.request(Logout())
            except (GatewayError, TimeoutError) as error:
                self._log.warning("session.unlink_failed", reason=repr(error))
        await self._supervisor.halt()
        await self._traces.remove(self.session_id)
        await self._store.remove()

    async def until_connected(self) -> None:
        """Return when it is connected, or when it will not be here."""
        await self._machine.wait_until(
            lambda: self.is_connected or not self.is_connecting or self._machine.has_left
        )

    async def until_idle_or_set(self, *, seconds: float) -> None:
        """Return after so long, or when nothing can be sent here any more, or it is set anew."""
        settings = self.settings
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._machine.wait_until(
                    lambda: (
                        not self.is_connecting
                        or self._machine.has_left
                        or self.settings is not settings
                    )
                )

    async def until_left(self) -> None:
        """Return when this worker does not have it any more."""
        await self._machine.wait_until(lambda: self.fenced or self._machine.has_left)

    def leave(self) -> None:
        """Note that this worker does not have it any more."""
        self._machine.leave()

    def check_connected(self) -> None:
        """Raise what `request` would raise now of a session that is not connected."""
        self._connected_host()

    async def request(
        self,
        call: Method[R],
        *,
        command_id: str | None = None,
        seconds: float | None = None,
    ) -> R:
        """Call a method of the session's host.

        Args:
            call: The method and its parameters.
            command_id: The command that it is for.
            seconds: How long the answer may take, if that is less than what the method may take.

        Raises:
            ExpiredError: It may take no time at all, so that it was not called.
            AccountRestrictedError: It is not connected, because the account is banned.
            SessionNotConnectedError: It is not connected; there was no effect.
            GatewayError: As the host says.
        """
        host = self._connected_host()
        if seconds is not None and seconds <= 0:
            raise ExpiredError("its time to run was up before it had an effect")
        is_send = call.effect is Effect.ONCE
        with self.sends.one() if is_send else nullcontext():
            return await host.request(call, command_id=command_id, seconds=seconds)

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Queue a change of the session, under its epoch."""
        return self._machine.record(change)

    async def record_forwarded(self, events: Sequence[bytes]) -> bool:
        """Record messages that arrived at a former owner; False if another worker has it now.

        Raises:
            ValueError: One of them is no arrival.
            DependencyError: One of them is neither recorded nor kept aside.
        """
        async with self._history.forwarding(events) as kept:
            return await self._inbound.record_forwarded(kept)

    async def history_settled(self) -> None:
        """Return once no page of a history is being recorded that was read before this call."""
        await self._history.settled()

    # Inside.

    def _connected_host(self) -> SessionHost:
        host = self._supervisor.host
        if self.state is SessionState.BANNED:
            raise AccountRestrictedError("the account is banned, or was when it was last connected")
        if self.state is not SessionState.CONNECTED or host is None:
            raise SessionNotConnectedError(f"the session is {self.state}")
        return host

    def _on_fenced(self) -> None:
        self._supervisor.abandon()
        self._history.stop()
        self._on_lost(self)
