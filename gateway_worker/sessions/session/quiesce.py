"""How a session gets ready to go to another worker, and is unavailable as shortly as possible.

    connected ──► rehearsal ──► no host ──► last copy, and the database has answered ──► quiesced
                      │ fails                    │ fails, or takes too long
                      ▼                          ▼
               stays connected            goes on at this worker
What follows, the change of owner, cannot be taken back: it is not begun before all this is done.
"""

import asyncio
from collections.abc import Callable

from gateway_contracts import SessionState, StatusReason
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.ports import SessionStore
from gateway_worker.sessions.session.host_events import HostEventHandler
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.session.supervisor import HostSupervisor
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.sessions.store.device_store import DeviceStore


class Quiescer:
    """Gets one session ready to leave.

    Args:
        session_id: Whose it is.
        machine: The session's state.
        supervisor: Ends its host.
        host_events: Told that a link that comes up does not count any more.
        store: Copied before and after its host has left.
        lease_state: Without the lease a session does not leave.
        sessions: Asked whether the database answers.
        limits: How long what its handover needs may take to answer, before its host has left and
            afterwards.

    Attributes:
        is_quiesced: Whether the session is ready to leave, and nothing of it has changed since.
    """

    def __init__(
        self,
        *,
        session_id: str,
        machine: SessionStateMachine,
        supervisor: HostSupervisor,
        host_events: HostEventHandler,
        store: DeviceStore,
        lease_state: LeaseState,
        sessions: SessionStore,
        limits: SessionLimits,
    ) -> None:
        self._session_id = session_id
        self._machine = machine
        self._supervisor = supervisor
        self._host_events = host_events
        self._store = store
        self._lease_state = lease_state
        self._sessions = sessions
        self._limits = limits
        self.is_quiesced = False

    async def quiesce(self, reason: StatusReason, *, resume: Callable[[], None]) -> None:
        """Get ready. Does nothing if that is the case already.

        Args:
            reason: Why the session leaves.
            resume: Has the session go on here; called if it cannot leave any more.

        Raises:
            DependencyError: Something that the handover needs is unavailable, or became so.
            GatewayError: The store cannot be copied.
        """
        if self.is_quiesced:
            return
        await self._rehearse()
        if is_running(self._machine.state) and not self._host_events.is_closing:
            self._machine.enter(SessionState.RECONNECTING, reason)
        self._host_events.is_closing = True
        await self._supervisor.halt()
        try:
            await self._finish()
        except GatewayError:
            resume()
            raise
        self.is_quiesced = True

    def undo(self) -> None:
        """Note that the session goes on here."""
        self._host_events.is_closing = self.is_quiesced = False

    async def _rehearse(self) -> None:
        """Find out, while the session is connected, whether what it needs later is there."""
        if not self._lease_state.is_held:
            raise DependencyError("the session stays: the lease is not held")
        try:
            async with asyncio.timeout(self._limits.rehearsal_seconds):
                await self._sessions.get(self._session_id)
                await self._copy(again=False)
        except TimeoutError as error:
            raise DependencyError("the session stays: database or objects are slow") from error

    async def _finish(self) -> None:
        """Copy what the host has left behind; the session is unavailable meanwhile."""
        try:
            async with asyncio.timeout(self._limits.quiesce_seconds):
                await self._copy(again=True)
                # A database that has taken this will take the change of owner.
                await self._machine.until_written()
        except TimeoutError as error:
            raise DependencyError(
                "the session stays: database or objects are unavailable now"
            ) from error

    async def _copy(self, *, again: bool) -> None:
        if self._machine.account is not None:
            await self._store.save(again=again)
