"""Whether this worker holds its lease at this moment, for all that may run only while it does."""

import asyncio

from gateway_worker.runtime.lease_clock import lease_time

_LOOK_SECONDS = 0.5
"""How soon a waiter looks again at a lease that has run out without a notice yet."""
_KNOWN_AFTER_SECONDS = 2.0
"""So long after a lease has begun the others, who look every second, know that it is held."""


class LeaseState:
    """The state of this worker's lease: hosts may run only while it is held."""

    def __init__(self) -> None:
        self._held = asyncio.Event()
        self._until = 0.0
        self._since = 0.0

    @property
    def is_held(self) -> bool:
        """Whether the lease is good at this moment."""
        return self._held.is_set() and lease_time() < self._until

    @property
    def held_seconds(self) -> float:
        """For how long it has been held without a break."""
        return lease_time() - self._since if self.is_held else 0.0

    @property
    def is_known(self) -> bool:
        """Whether it has been held for long enough that the others know.

        One that has found this worker dead a moment before it was back may still be on its way to
        its queue.
        """
        return self.held_seconds >= _KNOWN_AFTER_SECONDS

    @property
    def left_seconds(self) -> float:
        """How long it can still be relied on."""
        return max(0.0, self._until - lease_time())

    async def held(self) -> None:
        """Return when the lease is held."""
        while not self.is_held:
            await self._held.wait()
            if not self.is_held:  # it has just run out, and the keeper has not had its turn
                await asyncio.sleep(_LOOK_SECONDS)

    def extend(self, until: float) -> None:
        """Hold it until then."""
        was_held = self.is_held
        self._until = until
        self._held.set()
        if not was_held:
            self._since = lease_time()

    def lapse(self) -> bool:
        """Note that it is not held any more; False if that was known."""
        was_held = self._held.is_set()
        self._held.clear()
        return was_held
