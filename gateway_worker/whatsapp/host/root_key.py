"""The root of the certificates of WhatsApp's servers, replaced in the library's memory.

A sandbox has a root of its own, and the library takes no other than the one that it carries.
"""

import ctypes
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PUBLISHED_ROOT: Final = bytes.fromhex(
    "142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b"
)
"""Root of the certificates of WhatsApp's servers, as the library carries it: a public key."""


class RootKeyError(Exception):
    """The library's root key is not where it was expected."""


def install_root(library: str, key: bytes) -> None:
    """Trust another root for the certificates of the server; call it before connecting.

    Args:
        library: Path of the shared object.
        key: 32 bytes.

    Raises:
        RootKeyError: The published root is not exactly once in the library's data.
    """
    hits = [
        start + match.start()
        for start, end in _writable(library)
        for match in re.finditer(
            re.escape(PUBLISHED_ROOT), (ctypes.c_char * (end - start)).from_address(start)
        )
    ]
    if len(hits) != 1:
        raise RootKeyError(f"the root key was found {len(hits)} times, once is expected")
    if len(key) != len(PUBLISHED_ROOT):
        raise RootKeyError(f"a root key has {len(PUBLISHED_ROOT)} bytes")
    ctypes.memmove(hits[0], key, len(key))


def _writable(library: str) -> Iterable[tuple[int, int]]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, _, *path = line.split(maxsplit=5)
        if path == [library] and rights.startswith("rw"):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)
