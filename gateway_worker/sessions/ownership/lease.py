"""This worker's lease: while it is held, hosts may run; before it can be taken, they are dead."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from gateway_worker.errors import GatewayError, PermanentError
from gateway_worker.runtime.lease_clock import lease_time
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership.ports import Hosts, WorkerLeases

log = structlog.get_logger(__name__)

BEATS_PER_LEASE = 3
SAFE_PART = 0.75
"""How much of a lease is used. What is left is for clocks of different speed, and for the kill."""
KILL_PART = 0.9
"""When all is killed by the kernel that nothing else has killed, because it stands still."""
_RETRY_SECONDS = 0.5


class LeaseLostError(PermanentError):
    """Another process runs under this worker's name."""


class LeaseKeeper:
    """Renews the lease at every beat (a service), whatever the number of sessions.

    A worker that cannot renew kills its hosts well before the lease ends, gives its queue back and
    goes on trying. When it succeeds, `on_regained` finds out which sessions are still its own.

    Args:
        leases: The workers table.
        hosts: What must not run without a lease.
        lease_state: Told how long hosts may run.
        on_lapsed: Called when the lease could not be renewed in time, the hosts being dead, and
            again, in case of a standstill, before `on_regained`. Idempotent.
        on_regained: Called when it is renewed after that, before it is used.
        version: Of this worker, for the table.
        capacity: Of this worker, for the table.
    """

    def __init__(
        self,
        *,
        leases: WorkerLeases,
        hosts: Hosts,
        lease_state: LeaseState,
        on_lapsed: Callable[[], Awaitable[None]],
        on_regained: Callable[[], Awaitable[None]],
        version: str,
        capacity: int,
    ) -> None:
        self._leases = leases
        self._hosts = hosts
        self._lease_state = lease_state
        self._on_lapsed = on_lapsed
        self._on_regained = on_regained
        self._version = version
        self._capacity = capacity
        self._timeout_seconds = _RETRY_SECONDS
        self.lapses = 0

    async def begin(self) -> None:
        """Register this worker and hold its first lease; waits for the database."""

        async def register() -> float:
            started = lease_time()
            await self._leases.register(version=self._version, capacity=self._capacity)
            return started

        self._extend(await until_answered(register, name="workers.register"))

    async def run(self, stop: asyncio.Event) -> None:
        """Renew until `stop` is set.

        Raises:
            LeaseLostError: Another process has registered under this worker's name.
        """
        beat = self._leases.lease_seconds / BEATS_PER_LEASE
        pause = beat
        while not await _stopped(stop, pause):
            renewed = await self._renew()
            if renewed:
                pause = beat
                continue
            pause = min(_RETRY_SECONDS, beat)
            if self._lease_state.left_seconds <= pause:
                await self._lapse()

    async def _renew(self) -> bool:
        started = lease_time()
        try:
            async with asyncio.timeout(self._next_timeout()):
                is_mine = await self._leases.renew()
        except (GatewayError, TimeoutError) as error:
            log.warning("lease.not_renewed", reason=repr(error))
            return False
        self._timeout_seconds = _RETRY_SECONDS
        if not is_mine:
            await self._lapse()
            raise LeaseLostError(
                "another process has registered under this WORKER_ID; each worker needs its own"
            )
        if not self._lease_state.is_held:
            log.warning("lease.regained")
            # After a standstill nobody has noted the end. What is not settled has to go back all
            # the same: another worker waits at our queue already, and would get what comes next.
            # And no host may start before it is known which sessions are still ours.
            await self._on_lapsed()
            await self._on_regained()
        self._extend(started)
        return self._lease_state.is_held

    def _next_timeout(self) -> float:
        """Return for how long to wait for an answer.

        While the lease is held, not longer than it can still be relied on. Then ever longer: there
        may be no connection left but one that takes its time to be made.
        """
        if self._lease_state.is_held:
            return max(_RETRY_SECONDS, self._lease_state.left_seconds)
        timeout = self._timeout_seconds
        self._timeout_seconds = min(2 * timeout, self._leases.lease_seconds)
        return timeout

    def _extend(self, started: float) -> None:
        """Use the lease from the moment on at which its renewal was asked for."""
        until = started + self._leases.lease_seconds * SAFE_PART
        spare_seconds = self._leases.lease_seconds * (KILL_PART - SAFE_PART)
        self._hosts.extend_lease(until - lease_time(), spare_seconds=spare_seconds)
        self._lease_state.extend(until)

    async def _lapse(self) -> None:
        if not self._lease_state.lapse():
            return
        self._hosts.kill_all()
        self.lapses += 1
        log.error("lease.lapsed")
        await self._on_lapsed()


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()
