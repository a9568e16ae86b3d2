"""When a tenant's command may begin: after its place among those of its session, its tenant's.

A command takes its seat just before it is executed. Until there is one it waits in its place, and
while it waits for something later (its connection, its pacing) its slot is another's. What comes
from the queue of sessions without an owner has no place in which it could wait without holding up
everybody else's: it is refused instead, as is what is more than may wait at all.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final

from gateway_contracts.tenants import tenant_of
from gateway_worker.commands.attempts import Aside
from gateway_worker.commands.lanes import Passing
from gateway_worker.commands.ports import Excess
from gateway_worker.commands.purging import DETAIL
from gateway_worker.commands.scheduler import CalledOffError
from gateway_worker.commands.work import Work
from gateway_worker.errors import CancelledError, TooManyCommandsError
from gateway_worker.tenants.quotas import TenantShares

_EXCESS_SECONDS: Final = 10.0
_EXCESSES: Final = {
    Excess.COMMANDS: "as many of the tenant's commands wait as may wait",
    Excess.BYTES: "the commands that wait take as much memory as they may",
}


def too_much(excess: Excess) -> TooManyCommandsError:
    """Return why a command is refused that is more than may wait."""
    return TooManyCommandsError(_EXCESSES[excess], retry_after_seconds=_EXCESS_SECONDS)


class TenantTurns:
    """Gives seats.

    Args:
        shares: How fast each tenant's commands begin, and how many run at a time.
    """

    def __init__(self, shares: TenantShares) -> None:
        self._shares = shares

    @contextmanager
    def seated(
        self, session_id: str, work: Work, turn: Aside, *, seconds_left: float | None
    ) -> Iterator[Aside]:
        """Wrap a command's turn for as long as it is dealt with.

        Args:
            session_id: Its session.
            work: The command.
            turn: Lets others of the session run while it waits.
            seconds_left: How long it is until its deadline; None if it has none.
        """
        tenant = tenant_of(session_id)
        if tenant is None:
            yield turn
            return
        seat = Seat(tenant, work, turn, shares=self._shares, seconds_left=seconds_left)
        try:
            yield seat
        finally:
            seat.leave()


class Seat(Aside):
    """A command's turn, as far as its tenant goes (the scheduler's `Turn` for its session)."""

    def __init__(
        self,
        tenant: str,
        work: Work,
        turn: Aside,
        *,
        shares: TenantShares,
        seconds_left: float | None,
    ) -> None:
        self._tenant = tenant
        self._work = work
        self._turn = turn
        self._rates, self._slots = shares.rates, shares.slots
        self._until = None if seconds_left is None else time.monotonic() + seconds_left
        self._has_begun = False
        self._has_slot = False

    async def take(self) -> bool:
        """Have the command begin; whether it has waited for that, so that things may have changed.

        What may not wait, or was called off meanwhile, has its failure afterwards.

        Raises:
            WithdrawnError: The worker leaves meanwhile.
        """
        delivery = self._work.delivery
        # What comes again through the broker's delays has been counted.
        if self._has_begun or self._work.failure is not None or delivery.attempts_before:
            return False
        self._has_begun = True
        if delivery.unassigned:
            self._refuse_excess()
            return False
        wait = self._rates.wait(self._tenant)
        if wait > 0:
            await self._wait(asyncio.sleep(wait))
        if self._slots is None or self._work.failure is not None:
            return wait > 0
        self._has_slot = self._slots.take(self._tenant)
        if self._has_slot:
            return wait > 0
        self._has_slot = await self._slots.wait(self._tenant, self._wait)
        return True

    async def aside(
        self,
        waiting: Awaitable[object],
        *,
        seconds: float | None = None,
        passing: Passing = Passing.NOBODY,
    ) -> None:
        """Wait for something while others run, also others of the tenant."""
        had_slot = self._has_slot
        self.leave()
        try:
            await self._turn.aside(waiting, seconds=seconds, passing=passing)
        finally:
            if had_slot and self._slots is not None:
                self._slots.take_anyway(self._tenant)
                self._has_slot = True

    def conclude(self) -> None:
        """Let those of its session begin that need not wait until its end is written."""
        self._turn.conclude()

    def leave(self) -> None:
        """Let another one have the slot. Idempotent."""
        if self._has_slot and self._slots is not None:
            self._has_slot = False
            self._slots.give_back(self._tenant)

    def _refuse_excess(self) -> None:
        seconds = self._rates.take(self._tenant)
        if seconds > 0:
            self._work.failure = TooManyCommandsError(
                "the tenant's commands come too fast", retry_after_seconds=seconds
            )

    async def _wait(self, waiting: Awaitable[object]) -> None:
        left = None if self._until is None else max(0.0, self._until - time.monotonic())
        try:
            await self._turn.aside(waiting, seconds=left)
        except CalledOffError:
            self._work.failure = CancelledError(DETAIL)
