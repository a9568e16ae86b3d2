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

    What was opened stays open for as long as the process lives. To close any descriptor of a file
    takes all locks from it that the process has there, and the library's own are on the index: the
    next process that opens the store would take itself for the first, and empty the index that the
    library has mapped.

    Args:
        store: The SQLite file; any other kind of store gives no proof.
    """

    def __init__(self, store: Path) -> None:
        self._index = store.with_name(store.name + "-shm")
        self._opened: dict[tuple[int, int], int] = {}

    def mark(self) -> bytes | None:
        """Return what names the store's present state; None if that is not known."""
        try:
            header = os.pread(self._descriptor(), HEADER_BYTES, 0)
        except OSError:
            return None
        return header if len(header) == HEADER_BYTES else None

    def is_untouched(self, mark: bytes | None) -> bool:
        """Whether nothing has been stored since `mark`; False if that is not known."""
        return mark is not None and mark == self.mark()

    def _descriptor(self) -> int:
        """Return one of the index that is there now. Raises OSError."""
        named = self._index.stat()
        descriptor = self._opened.get((named.st_dev, named.st_ino))
        if descriptor is None:
            descriptor = os.open(self._index, os.O_RDONLY | os.O_CLOEXEC)
            opened = os.fstat(descriptor)
            self._opened[opened.st_dev, opened.st_ino] = descriptor
        return descriptor
