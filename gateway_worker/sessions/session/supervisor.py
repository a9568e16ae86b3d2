"""Keeps one host running for a session, with pauses between attempts, until told to halt."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from gateway_contracts import SessionState, StatusReason
from gateway_worker.errors import GatewayError
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.hosting import HostExited, HostListener, HostSpec, SessionHost
from gateway_worker.sessions.session.disconnects import Disconnect
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.surroundings import Surroundings

log = structlog.get_logger(__name__)

_URGENT = 5
_URGENT_SECONDS = 60.0
"""How often within how long a host is started without a pause after its library has stopped: what
stops it may come with every login."""


class HostSupervisor:
    """One session's host, over all its lives.

    Args:
        session_id: Whose host it is.
        around: What all sessions share.
        machine: Told of every pause and end.
        spec: Makes the specification of the next host.
        listener: Gets the host's events.
        conclude: Called when the connection has ended for good.
        ensure_store: Brings the newest device store here before a host starts.
    """

    def __init__(
        self,
        *,
        session_id: str,
        around: Surroundings,
        machine: SessionStateMachine,
        spec: Callable[[], HostSpec],
        listener: HostListener,
        conclude: Callable[[Disconnect], Awaitable[None]],
        ensure_store: Callable[[], Awaitable[None]],
    ) -> None:
        self._session_id = session_id
        self._log = log.bind(session_id=session_id)
        self._around = around
        self._machine = machine
        self._spec = spec
        self._listener = listener
        self._conclude = conclude
        self._ensure_store = ensure_store
        self._task: asyncio.Task[None] | None = None
        self._halting = asyncio.Event()
        self._is_killed = False
        self._is_launching = False
        self._exited: asyncio.Future[HostExited] | None = None
        self._ending: Disconnect | None = None
        self._urgent: list[float] = []
        self._backoff = Backoff(
            initial_seconds=around.limits.restart_initial_seconds,
            maximum_seconds=around.limits.restart_maximum_seconds,
        )
        self.host: SessionHost | None = None

    @property
    def active(self) -> bool:
        """Whether a host runs or is about to."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin to keep a host running."""
        self._halting = asyncio.Event()
        self._is_killed = False
        self._backoff.reset()
        # A context of its own: this task outlives the command that starts it, and its log lines
        # must not carry that command's id.
        self._task = asyncio.create_task(
            self._keep(), name=f"session:{self._session_id}", context=contextvars.Context()
        )

    async def halt(self) -> None:
        """Stop the host and keep none running. Idempotent; never raises.

        A host that is still to be started is not waited for: hundreds may be in line before it.
        """
        self._halting.set()
        if self._is_launching and self._task is not None:
            self._task.cancel()
        if self.host is not None:
            await self.host.stop()
        if self._task is not None:
            await asyncio.wait((self._task,))

    def kill(self) -> None:
        """End the host at once: it must not go on for another moment."""
        self._is_killed = True
        self._halting.set()
        if self.host is not None:
            self.host.kill()

    def healthy(self) -> None:
        """Note that the connection stands: the next pause is a short one again."""
        self._backoff.reset()

    def ended(self, ending: Disconnect) -> None:
        """Note why the connection ended; the host has nothing left to do."""
        self._ending = ending
        if self.host is not None:
            self._around.background.post(f"stop:{self._session_id}", self.host.stop)

    def exited(self, event: HostExited) -> None:
        """Note that the host's process is gone."""
        if self._exited is not None and not self._exited.done():
            self._exited.set_result(event)

    async def _keep(self) -> None:
        try:
            while not self._halting.is_set():
                await self._run_host()
                ending, self._ending = self._ending, None
                if self._halting.is_set():
                    return
                if ending is not None and ending.final:
                    await self._conclude(ending)
                    return
                await self._pause(ending)
        except Exception:  # noqa: BLE001 - the root of a session's task: its failure is a state
            self._log.exception("session.supervision_failed")
            self._machine.enter(
                SessionState.FAILED, StatusReason.HOST_EXITED, detail="the gateway failed"
            )

    async def _run_host(self) -> None:
        try:
            if not await self._until_permitted():
                return
            await self._ensure_store()
            self._exited = asyncio.get_running_loop().create_future()
            self._is_launching = True
            try:
                self.host = await self._around.launcher.launch(self._spec(), self._listener)
            finally:
                self._is_launching = False
        except GatewayError as error:
            self._log.warning("session.host_not_started", reason=str(error))
            return
        if self._is_killed:  # while the host was being started
            self.host.kill()
        elif self._halting.is_set():
            await self.host.stop()
        left = await self._exited
        # One that has said why it leaves may be gone before it could be told to.
        expected = left.expected or self._ending is not None
        self._around.observer.host_exited(expected=expected)
        self.host = None
        self._log.info("session.host_exited", expected=expected, detail=left.detail)

    async def _until_permitted(self) -> bool:
        """Wait for the worker's lease; False if the host is not wanted any more."""
        if self._around.lease_state.is_held:
            return True
        either = (self._around.lease_state.held(), self._halting.wait())
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
        if ending is None or ending.reason is not StatusReason.LIBRARY_STOPPED:
            return False
        now = self._around.clock.monotonic()
        self._urgent = [at for at in self._urgent if now - at < _URGENT_SECONDS] + [now]
        return len(self._urgent) <= _URGENT

    async def _pause(self, ending: Disconnect | None) -> None:
        seconds = 0.0 if self._is_urgent(ending) else self._backoff.next_seconds()
        if ending is None:
            self._around.observer.host_restarted()
        elif ending.reason is StatusReason.LIBRARY_STOPPED:
            self._around.observer.library_stopped()
        self._machine.enter(
            SessionState.RECONNECTING,
            ending.reason if ending else StatusReason.HOST_EXITED,
            detail=ending.detail if ending else None,
            retry_at=self._around.clock.now() + timedelta(seconds=seconds),
        )
        if not seconds:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._halting.wait()
