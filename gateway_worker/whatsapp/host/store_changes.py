"""Whether the library's device store has changed.

The library stores that keys are used up before it writes to the connection what it has encrypted
with them. So a store in which nothing has been stored but the secret of a message is a proof that
the message has not left, whatever the library may say about it.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct("=8xI")
"""The head of a write-ahead log's index: the count of transactions follows two other numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A store's state: which index it has, and how many transactions were committed by then."""

    index: tuple[int, int]
    commits: int


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

    def mark(self) -> Mark | None:
        """Return what names the store's present state; None if that is not known."""
        try:
            index, descriptor = self._descriptor()
            header = os.pread(descriptor, _HEADER.size, 0)
        except OSError:
            return None
        if len(header) < _HEADER.size:
            return None
        return Mark(index=index, commits=_HEADER.unpack(header)[0])

    def commits_since(self, mark: Mark | None) -> int | None:
        """Return how many transactions were committed since; None if that is not known."""
        now = self.mark()
        if mark is None or now is None or now.index != mark.index or now.commits < mark.commits:
            return None
        return now.commits - mark.commits

    def _descriptor(self) -> tuple[tuple[int, int], int]:
        """Return which index is there now, and one of its descriptors. Raises OSError."""
        named = self._index.stat()
        descriptor = self._opened.get((named.st_dev, named.st_ino))
        if descriptor is None:
            descriptor = os.open(self._index, os.O_RDONLY | os.O_CLOEXEC)
            opened = os.fstat(descriptor)
            self._opened[opened.st_dev, opened.st_ino] = descriptor
            return (opened.st_dev, opened.st_ino), descriptor
        return (named.st_dev, named.st_ino), descriptor
