"""Whether the library's device store has changed.

The library stores that keys are used up before it writes to the connection what it has encrypted
with them. So a store in which nothing has changed is a proof that no message has left, whatever the
library may say about it.
"""

import os
from pathlib import Path
from typing import Final

HEADER_BYTES: Final = 48
"""The head of a write-ahead log's index, which counts the transactions."""


class StoreChanges:
    """Compares a store with itself at an earlier moment.

    Args:
        store: The SQLite file; any other kind of store gives no proof.
    """

    def __init__(self, store: Path) -> None:
        self._index = store.with_name(store.name + "-shm")

    def mark(self) -> bytes | None:
        """Return what names the store's present state; None if that is not known."""
        try:
            file = os.open(self._index, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            header = os.pread(file, HEADER_BYTES, 0)
        except OSError:
            return None
        finally:
            os.close(file)
        return header if len(header) == HEADER_BYTES else None

    def is_untouched(self, mark: bytes | None) -> bool:
        """Whether nothing has been stored since `mark`; False if that is not known."""
        return mark is not None and mark == self.mark()
