"""Keeps one host running for a session, with pauses between attempts, until it is halted."""

import asyncio
import contextlib
import contextvars
import time
from functools import partial

import structlog

from gateway_contracts import SessionSettings, SessionState, StatusReason
from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods.session import Configure
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.hosting import (
    HostLauncher,
    HostListener,
    HostSpec,
    SessionHost,
)
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.observers import SessionObserver
from gateway_worker.sessions.proxy_addresses import ProxyUnusableError
from gateway_worker.sessions.session.disconnects import Disconnect
from gateway_worker.sessions.session.host_specs import HostSpecs
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.settings import needs_another_host
from gateway_worker.sessions.store.device_store import DeviceStore

log = structlog.get_logger(__name__)

_URGENT = 5
_URGENT_SECONDS = 60.0
"""How often within how long a host is started without a pause after its library has stopped: what
stops it may come with every login."""


_RENEWED = Disconnect(
    SessionState.RECONNECTING, StatusReason.HOST_RENEWED, "its process did not take new settings"
)
_RESET = Disconnect(
    SessionState.RECONNECTING, StatusReason.SETTINGS_CHANGED, "it connects in another way now"
)
_WITHOUT_PAUSE = frozenset(
    {StatusReason.LIBRARY_STOPPED, StatusReason.HOST_RENEWED, StatusReason.SETTINGS_CHANGED}
)
"""Why hosts leave that could go on at once."""


class HostSupervisor:
    """One session's host, over all its lives.

    Args:
        specs: How to start hosts; the device to resume is the machine's account.
        machine: Told of every pause and end.
        store: The newest one is brought here before a host starts.
        launcher: Starts hosts.
        lease_state: Without the lease no host is started.
        observer: Counts ends and restarts.
        background: Stops hosts that have nothing left to do.
        limits: How long it pauses before a dead host is started again.

    Attributes:
        host: The one that runs now.
    """

    def __init__(
        self,
        *,
        specs: HostSpecs,
        machine: SessionStateMachine,
        store: DeviceStore,
        launcher: HostLauncher,
        lease_state: LeaseState,
        observer: SessionObserver,
        background: Background,
        limits: SessionLimits,
    ) -> None:
        self._specs = specs
        self._session_id = specs.session_id
        self._log = log.bind(session_id=specs.session_id)
        self._machine = machine
        self._store = store
        self._launcher = launcher
        self._lease_state = lease_state
        self._observer = observer
        self._background = background
        self._task: asyncio.Task[None] | None = None
        self._halting = asyncio.Event()
        self._awake = asyncio.Event()
        self._is_killed = False
        self._is_launching = False
        self._exited: asyncio.Future[Exited] | None = None
        self._ending: Disconnect | None = None
        self._urgent: list[float] = []
        self._unusable: str | None = None
        self._backoff = Backoff(
            initial_seconds=limits.restart_initial_seconds,
            maximum_seconds=limits.restart_maximum_seconds,
        )
        self.host: SessionHost | None = None

    @property
    def active(self) -> bool:
        """Whether a host runs or is about to."""
        return self._task is not None and not self._task.done()

    def start(self, listener: HostListener) -> None:
        """Begin to keep a host running, whose events `listener` gets."""
        self._halting = asyncio.Event()
        self._is_killed = False
        self._backoff.reset()
        # A context of its own: this task outlives the command that starts it, and its log lines
        # must not carry that command's id.
        self._task = asyncio.create_task(
            self._keep(listener), name=f"session:{self._session_id}", context=contextvars.Context()
        )

    async def halt(self) -> None:
        """Stop the host and keep none running. Idempotent; never raises.

        A host that is still to be started is not waited for: hundreds may be in line before it.
        """
        self._halting.set()
        self._awake.set()
        if self._is_launching and self._task is not None:
            self._task.cancel()
        if self.host is not None:
            await self.host.stop()
        if self._task is not None:
            await asyncio.wait((self._task,))
        self._machine.clear_qr()

    def abandon(self) -> None:
        """End the host at once and keep none: another worker owns the session by now."""
        self.kill()
        self._background.post(f"fence:{self._session_id}", self.halt)

    def kill(self) -> None:
        """End the host at once: it must not go on for another moment."""
        self._is_killed = True
        self._halting.set()
        self._awake.set()
        if self.host is not None:
            self.host.kill()

    def healthy(self) -> None:
        """Note that the connection stands: the next pause is a short one again."""
        self._backoff.reset()

    def ended(self, ending: Disconnect) -> None:
        """Note why the connection ended; the host has nothing left to do."""
        self._ending = ending
        self._observer.disconnected(ending.reason)
        if self.host is not None:
            self._background.post(f"stop:{self._session_id}", self.host.stop)

    async def configure(self, settings: SessionSettings) -> None:
        """Have the host, and those after it, obey other settings. Never raises.

        One that does not take them is replaced, and so is one that would have to connect anew.
        """
        before = self._specs.settings
        self._specs.settings = settings
        self._awake.set()  # a session whose proxy has failed need not wait any longer
        if self.host is not None and needs_another_host(before, settings):
            self.ended(_RESET)
        elif self.host is not None:
            await self._obey(self.host)

    async def _obey(self, host: SessionHost) -> None:
        try:
            await host.request(Configure(settings=self._specs.host_settings))
        except GatewayError as error:
            if host is self.host:
                self._log.warning("session.host_not_configured", reason=str(error))
                self.ended(_RENEWED)

    def exited(self, event: Exited) -> None:
        """Note that the host's process is gone."""
        if self._exited is not None and not self._exited.done():
            self._exited.set_result(event)

    async def conclude(self, ending: Disconnect) -> None:
        """Go to a final state; the store of an unlinked device is void, so it goes."""
        if ending.forget:
            await self._store.forget()
        self._machine.end(ending)

    async def _keep(self, listener: HostListener) -> None:
        try:
            while not self._halting.is_set():
                await self._run_host(listener)
                ending, self._ending = self._ending, None
                if self._halting.is_set():
                    return
                if ending is not None and ending.final:
                    await self.conclude(ending)
                    return
                await self._pause(ending)
        except Exception:  # noqa: BLE001 - the root of a session's task: its failure is a state
            self._log.exception("session.supervision_failed")
            self._machine.enter(
                SessionState.FAILED, StatusReason.HOST_EXITED, detail="the gateway failed"
            )

    async def _run_host(self, listener: HostListener) -> None:
        try:
            if not await self._until_permitted():
                return
            await self._store.ensure(linked=self._machine.account is not None)
            self._exited = asyncio.get_running_loop().create_future()
            settings = self._specs.settings
            self._is_launching = True
            try:
                self.host = await self._launcher.launch(await self._next_spec(), listener)
            finally:
                self._is_launching = False
        except ProxyUnusableError as error:
            # Nothing may go without it: the session waits for the key, another proxy or a name.
            self._tell_unusable(str(error))
            self._ending = Disconnect(
                SessionState.RECONNECTING, StatusReason.PROXY_UNREACHABLE, error.detail
            )
            return
        except GatewayError as error:
            self._log.warning("session.host_not_started", reason=str(error))
            return
        self._unusable = None
        if self._is_killed:  # while the host was being started
            self.host.kill()
        elif self._halting.is_set():
            await self.host.stop()
        elif needs_another_host(settings, self._specs.settings):  # while it was being started
            self.ended(_RESET)
        elif self._specs.settings is not settings:
            self._background.post(f"configure:{self._session_id}", partial(self._obey, self.host))
        left = await self._exited
        # One that has said why it leaves may be gone before it could be told to.
        expected = left.expected or self._ending is not None
        self._observer.host_exited(expected=expected)
        self.host = None
        self._log.info("session.host_exited", expected=expected, detail=left.detail)

    def _tell_unusable(self, reason: str) -> None:
        """Say once that nothing can go through the proxy; it is tried again and again."""
        tell = self._log.info if reason == self._unusable else self._log.error
        tell("session.proxy_unusable", reason=reason)
        self._unusable = reason

    async def _next_spec(self) -> HostSpec:
        account = self._machine.account
        return await self._specs.make(account.jid if account else None)

    async def _until_permitted(self) -> bool:
        """Wait for the worker's lease; False if the host is not wanted any more."""
        if self._lease_state.is_held:
            return True
        either = (self._lease_state.held(), self._halting.wait())
        waits = {asyncio.ensure_future(one) for one in either}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return not self._halting.is_set()

    def _is_urgent(self, ending: Disconnect | None) -> bool:
        """Whether the next host is to start at once; not if that has been tried too often."""
        if ending is None or ending.reason not in _WITHOUT_PAUSE:
            return False
        now = time.monotonic()
        self._urgent = [at for at in self._urgent if now - at < _URGENT_SECONDS] + [now]
        return len(self._urgent) <= _URGENT

    async def _pause(self, ending: Disconnect | None) -> None:
        seconds = 0.0 if self._is_urgent(ending) else self._backoff.next_seconds()
        if ending is None:
            self._observer.host_restarted()
        elif ending.reason is StatusReason.LIBRARY_STOPPED:
            self._observer.library_stopped()
        self._machine.pause(
            ending.reason if ending else StatusReason.HOST_EXITED,
            detail=ending.detail if ending else None,
            seconds=seconds,
        )
        self._awake.clear()
        if not seconds or self._halting.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()
