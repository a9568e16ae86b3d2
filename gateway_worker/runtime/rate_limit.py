"""How often something may be done: so often a second in the long run, and so often at once."""

import time
from collections import OrderedDict
from collections.abc import Callable


class TokenBucket:
    """A token bucket: it fills with time.

    Args:
        per_second: How much comes in.
        at_once: How much it holds; it is full at first.
        clock: Seconds that only rise.
    """

    def __init__(
        self, *, per_second: float, at_once: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._clock = clock
        self._left = at_once
        self._since = clock()

    def take(self) -> bool:
        """Take one; False if there is none left."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._since) * self._per_second)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RateLimiter:
    """A token bucket for each name, and one for all of them together.

    Whoever makes names up gets no more than all together may have.

    Args:
        each: Makes the bucket of a name.
        together: The bucket of all; None where nobody can make a name up.
        remembered: How many names are remembered; the one not seen for longest is forgotten first.
    """

    def __init__(
        self,
        *,
        each: Callable[[], TokenBucket],
        together: TokenBucket | None = None,
        remembered: int = 1_000,
    ) -> None:
        self._each = each
        self._together = together
        self._remembered = remembered
        self._by_name: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, name: str) -> bool:
        """Take one for a name; False if there is none left for it, or for anybody."""
        own = self._by_name.get(name)
        if own is None:
            own = self._by_name[name] = self._each()
            if len(self._by_name) > self._remembered:
                self._by_name.popitem(last=False)
        self._by_name.move_to_end(name)
        return own.take() and (self._together is None or self._together.take())
