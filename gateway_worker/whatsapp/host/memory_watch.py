"""Whether a host has kept so much memory after transfers that only a new process gives it back.

The library holds a file several times over while it uploads it, and what Go has had it keeps for a
while. How much a host needs otherwise is not judged: a new one would need it too.
"""

import math
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 10.0
"""How soon a host that should leave, and had something to do, is looked at again."""


class MemoryWatch:
    """One host's. Times are those of the monotonic clock, in seconds.

    Args:
        limit_bytes: How much it may keep; 0: as much as it likes.
        rest_seconds: How long after the last transfer that is judged.
        measure: Returns how much it uses, as far as that is known.
    """

    def __init__(
        self, *, limit_bytes: int, rest_seconds: float, measure: Callable[[], int | None]
    ) -> None:
        self._limit_bytes = limit_bytes
        self._rest_seconds = rest_seconds
        self._measure = measure
        self._look_at = math.inf

    def transferred(self, now: float) -> None:
        """Note that a transfer has ended; for every thread."""
        if self._limit_bytes:
            self._look_at = now + self._rest_seconds

    def has_kept_too_much(self, now: float, *, is_busy: bool) -> bool:
        """Whether the host is to leave. Never while it has something to do."""
        if now < self._look_at:
            return False
        if is_busy:
            self._look_at = now + LOOK_SECONDS
            return False
        self._look_at = math.inf
        return (self._measure() or 0) > self._limit_bytes

    def seconds_to_look(self, now: float) -> float:
        """Return after how long the answer may be another one without any news; maybe infinity."""
        return max(0.0, self._look_at - now)
