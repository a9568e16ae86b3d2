"""Places that are shared: whoever owns a session takes turns with the others, and has not all."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway_contracts.tenants import tenant_of


def owner_of(session_id: str) -> str:
    """Return in whose name a session takes its turns: its tenant's, or its own without one."""
    tenant = tenant_of(session_id)
    return session_id if tenant is None else f"{tenant}."  # no session is called so


class SharedPlaces:
    """Places for what is done a few at a time; the owners that wait for one take turns.

    One of several places is left to those that have none, so that nobody waits until one of the
    others, who has them all, is done with something.

    For those who come for a place themselves, with their work, and may give up as they wait;
    `FairQueue` is for work that is queued and taken by others.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._per_owner = max(1, count - 1)
        self._taken: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncIterator[None]:
        """Have a place while the block runs.

        Args:
            owner: Whose turn it takes; see `owner_of`.
        """
        await self.take(owner)
        try:
            yield
        finally:
            self.give_back(owner)

    async def take(self, owner: str) -> None:
        """Wait for a place; `give_back` has to follow."""
        # While others wait, there is no place that they could have.
        if owner not in self._waiting and self._has_place_for(owner):
            self._give(owner)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():  # it has got one meanwhile
                self.give_back(owner)
            else:
                self._forget(owner, waiter)
            raise

    def give_back(self, owner: str) -> None:
        """Let others have a place that was taken."""
        self._free += 1
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]
        while (following := self._next()) is not None:
            waiter = self._waiting[following][0]
            self._forget(following, waiter)
            if not waiter.done():  # whoever waited may just have been cancelled
                self._give(following)
                self._let_others_first(following)
                waiter.set_result(None)

    def _has_place_for(self, owner: str) -> bool:
        return self._free > 0 and self._taken[owner] < self._per_owner

    def _give(self, owner: str) -> None:
        self._free -= 1
        self._taken[owner] += 1

    def _next(self) -> str | None:
        return next((owner for owner in self._waiting if self._has_place_for(owner)), None)

    def _forget(self, owner: str, waiter: "asyncio.Future[None]") -> None:
        waiting = self._waiting.get(owner, deque())
        if waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[owner]

    def _let_others_first(self, owner: str) -> None:
        if owner in self._waiting:
            self._waiting.move_to_end(owner)
