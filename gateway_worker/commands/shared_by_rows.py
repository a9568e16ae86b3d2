"""What the rows of a bulk have in common: a file that is uploaded, or a page that was looked at.

It is brought about once for all of them, as phones do that send to many. After a while, and by
another worker, it is done anew: what is behind a URL changes, and WhatsApp does not keep files for
good.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

MOST: Final = 64
"""Of the whole worker; each may have a small picture of 32 KiB."""
SECONDS: Final = 3600.0

V = TypeVar("V")


class SharedByRows(Generic[V]):
    """Keeps a few values for a while.

    Args:
        most: See `MOST`.
        seconds: For how long; see `SECONDS`.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        *,
        most: int = MOST,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return a value; None if it is not there, or was made too long ago."""
        made_at, value = self._kept.get(key, (0.0, None))
        return None if value is None or self._clock() - made_at >= self._seconds else value

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value, in place of the one that was made first if there are too many."""
        self._kept.pop(key, None)
        self._kept[key] = self._clock(), value
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(Generic[V]):
    """What one bulk has of these values.

    Attributes:
        kept: They.
        bulk_id: Which bulk.
    """

    kept: SharedByRows[V]
    bulk_id: str

    def get(self, session_id: str, *key: Hashable) -> V | None:
        """Return a value that an earlier row has needed as well."""
        return self.kept.get((session_id, self.bulk_id, *key))

    def put(self, value: V, session_id: str, *key: Hashable) -> None:
        """Keep a value for the rows that follow."""
        self.kept.put((session_id, self.bulk_id, *key), value)
