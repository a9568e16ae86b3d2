"""How long a host has been disconnected, and when that is too long.

A host that has never been connected is not judged here: the library gives its first attempt up by
itself, in bounded time.
"""

import math
from typing import Final

BUSY_LOOK_SECONDS: Final = 0.5
"""How soon a host that should leave, and had a request to finish, is looked at again."""


class DisconnectTimer:
    """One host's. Times are those of the monotonic clock, in seconds.

    Args:
        patience_seconds: How long it may last; 0: for ever.
    """

    def __init__(self, *, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._deadline: float | None = None

    def disconnected(self, now: float) -> None:
        """Note that the connection is gone; it may be told again while it stays so."""
        if self._deadline is None and self._patience_seconds > 0:
            self._deadline = now + self._patience_seconds

    def connected(self) -> None:
        """Note that it stands again."""
        self._deadline = None

    def has_expired(self, now: float, *, is_busy: bool) -> bool:
        """Whether the host is to leave. Never while a request runs: its answer may yet come."""
        return self._deadline is not None and now >= self._deadline and not is_busy

    def seconds_to_look(self, now: float) -> float:
        """Return after how long the answer may be another one without any news; maybe infinity."""
        if self._deadline is None:
            return math.inf
        return self._deadline - now if now < self._deadline else BUSY_LOOK_SECONDS
