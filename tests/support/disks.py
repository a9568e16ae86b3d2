"""A disk that takes nothing more, as far as some processes can tell."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

ROOM_BYTES: Final = 16 * 1024
"""Less than a device store's write-ahead log has after a pairing, more than a small spool needs."""


@contextmanager
def full_disk(processes: Callable[[], Iterable[psutil.Process]]) -> Iterator[None]:
    """Have the system refuse to processes what makes a file longer than a little.

    Args:
        processes: Those that run now; what they fork meanwhile is refused it too.
    """
    _limit(processes(), ROOM_BYTES)
    try:
        yield
    finally:
        _limit(processes(), psutil.RLIM_INFINITY)


def _limit(processes: Iterable[psutil.Process], size_bytes: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, (size_bytes, psutil.RLIM_INFINITY))
