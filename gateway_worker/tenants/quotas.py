"""How fast each tenant's commands begin, and how many of them run at a time at one worker.

What one tenant has too many of waits, and nobody else for it: a command that is over its tenant's
share keeps its place among those of its session, and what waits so is taken out of the reckoning of
how many commands a worker is handed out, so that others come past.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

_UNUSED_SECONDS: Final = 60.0
_NOTHING_SECONDS: Final = 1e-6
"""What a difference of two times may be off by."""

Aside = Callable[[Awaitable[object]], Awaitable[None]]
"""Waits for something; returns also if that is called off or comes too late."""


class TenantRates:
    """Gives each command the moment at which it may begin.

    Args:
        per_second: How many of one tenant begin at this worker in the long run; 0: as many as come.
        burst: How many may begin at once, after a rest.
        weights: How many times as many, of tenants that have more or less than others.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        *,
        per_second: float,
        burst: int,
        weights: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._weights = weights
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def wait(self, tenant: str) -> float:
        """Return for how many seconds a command has to wait, and count it."""
        return self._count(tenant, patience_seconds=None)

    def take(self, tenant: str) -> float:
        """Count a command if it may begin now and return 0; else the seconds until one may."""
        return self._count(tenant, patience_seconds=0.0)

    def _count(self, tenant: str, *, patience_seconds: float | None) -> float:
        if not self._per_second:
            return 0.0
        now = self._clock()
        weight = self._weights.get(tenant, 1.0)
        interval = 1.0 / (self._per_second * weight)
        # The moment at which nothing of what has begun counts any more.
        full_at = max(now, self._full_at.get(tenant, now)) + interval
        wait = max(0.0, full_at - now - max(1.0, self._burst * weight) * interval)
        wait = wait if wait > _NOTHING_SECONDS else 0.0
        if patience_seconds is None or wait <= patience_seconds:
            self._full_at[tenant] = full_at
            self._forget(now)
        return wait

    def _forget(self, now: float) -> None:
        """Let go of tenants that have been quiet: there may be many over the years."""
        oldest = next(iter(self._full_at))
        if self._full_at[oldest] < now - _UNUSED_SECONDS:
            del self._full_at[oldest]


class TenantSlots:
    """Lets so many commands of each tenant run at a time.

    Args:
        at_a_time: How many.
        weights: How many times as many, of tenants that have more or less than others; one at
            least.
    """

    def __init__(self, *, at_a_time: int, weights: Mapping[str, float]) -> None:
        self._at_a_time = at_a_time
        self._weights = weights
        self._taken: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)

    def taken(self, tenant: str) -> int:
        """Return how many are taken."""
        return self._taken[tenant]

    def take(self, tenant: str) -> bool:
        """Take a slot; False if there is none, or others wait for one."""
        if self._waiting.get(tenant) or self._taken[tenant] >= self._limit(tenant):
            return False
        self._taken[tenant] += 1
        return True

    async def wait(self, tenant: str, aside: Aside) -> bool:
        """Wait for a slot in turn; False if the waiting ended without one."""
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[tenant]
        waiting.append(slot)
        try:
            await aside(slot)
        except BaseException:
            if _is_given(slot):
                self.give_back(tenant)
            raise
        finally:
            if slot in waiting:
                waiting.remove(slot)
            if not waiting:
                self._waiting.pop(tenant, None)
        return _is_given(slot)

    def take_anyway(self, tenant: str) -> None:
        """Take a slot again although there may be none: what has begun is not to be held up."""
        self._taken[tenant] += 1

    def give_back(self, tenant: str) -> None:
        """Give back a slot; whoever has waited for longest has it now."""
        waiting = self._waiting.get(tenant)
        while waiting and self._taken[tenant] <= self._limit(tenant):
            slot = waiting.popleft()
            if not slot.done():
                slot.set_result(None)
                return
        self._taken[tenant] -= 1
        if not self._taken[tenant]:
            del self._taken[tenant]

    def _limit(self, tenant: str) -> int:
        return max(1, round(self._at_a_time * self._weights.get(tenant, 1.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantShares:
    """How much of a worker each tenant has.

    Attributes:
        rates: How fast its commands begin.
        slots: How many of them run at a time; None: any number.
    """

    rates: TenantRates
    slots: TenantSlots | None = None


def _is_given(slot: "asyncio.Future[None]") -> bool:
    return slot.done() and not slot.cancelled()
