"""Has the C library give large blocks back: by itself it keeps what many threads have freed.

glibc takes a block of 128 KiB and more from the system, until the first of them is freed: from then
on it takes blocks of that size, up to 32 MiB, from its heaps, of which each thread may have one of
its own. When thirty sessions come at once, the copies of their device stores, which as many threads
unpack, leave the worker 140 MiB larger.
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_MEBIBYTE: Final = 1_048_576
_SETTINGS: Final = (
    # Above what a connection reads at once: that is freed and taken again with each message.
    (_MMAP_THRESHOLD, _MEBIBYTE),
    (_TRIM_THRESHOLD, 8 * _MEBIBYTE),
    (_ARENA_MAX, 4),
)


def settle_allocator() -> bool:
    """Fix from what size on blocks are the system's, and how many heaps there are.

    Returns:
        Whether the C library can be told; others than glibc cannot.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) for name, value in _SETTINGS)
