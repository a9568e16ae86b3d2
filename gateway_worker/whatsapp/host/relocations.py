"""Shares what loading the native library writes into its constants.

The library's constants are full of addresses, which the dynamic linker fills in when it is loaded:
nearly two MiB that every host would have for itself, although they are the same in all. So the fork
server has a child load the library and keep them in a file in memory, and each host, once it has
loaded the library at the same address, maps that file over its own copy. Where anything differs,
the host keeps its own.
"""

import ctypes
import fcntl
import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

RESERVED_BYTES: Final = 128 * 1024 * 1024
"""Address space that is kept free for the library, which needs less than half of it."""
_SPAN: Final = struct.Struct("<QQ")
_MAP_FIXED: Final = 0x10
_MAP_NORESERVE: Final = 0x4000
_PROT_NONE: Final = 0
_FAILED: Final = ctypes.c_void_p(-1).value
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Relocations:
    """The library's constants as they are in every process that this one forks.

    Args:
        path: The shared object.
        descriptor: The file with the constants; -1 if they could not be had.
        reserved: Address of the address space that is kept for the library.
    """

    def __init__(self, *, path: str, descriptor: int, reserved: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._reserved = reserved

    @classmethod
    def record(cls, path: str) -> Self:
        """Load the library in a child and keep its constants; for a process of one thread.

        Where that fails nothing is shared, and hosts use more memory.
        """
        libc = _libc()
        rights, flags = _PROT_NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        address = libc.mmap(None, RESERVED_BYTES, rights, flags, -1, 0)
        recorded = cls(
            path=path,
            descriptor=os.memfd_create("relocations", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING),
            reserved=0 if address == _FAILED else address,
        )
        pid = os.fork()
        if pid == 0:
            recorded._write()
        if os.waitpid(pid, 0)[1] == 0:
            fcntl.fcntl(recorded._descriptor, fcntl.F_ADD_SEALS, _SEALS)
        else:
            recorded._close()
        return recorded

    def load(self) -> ctypes.CDLL:
        """Load the library into this process and share its constants; only once."""
        library = self._load()
        if self._descriptor >= 0:
            with suppress(OSError, LookupError):
                self._share()
            self._close()
        return library

    def _load(self) -> ctypes.CDLL:
        if self._reserved:
            _libc().munmap(self._reserved, RESERVED_BYTES)
        return ctypes.CDLL(self._path)

    def _write(self) -> None:
        """Be the child that records."""
        status = 1
        try:
            self._load()
            start, end = constants_of(self._path)
            written = os.pwrite(self._descriptor, ctypes.string_at(start, end - start), 0)
            os.pwrite(self._descriptor, _SPAN.pack(start, end), written)
            status = 0 if written == end - start else 1
        finally:
            os._exit(status)

    def _share(self) -> None:
        size = os.fstat(self._descriptor).st_size - _SPAN.size
        start, end = _SPAN.unpack(os.pread(self._descriptor, _SPAN.size, size))
        if constants_of(self._path) != (start, end):
            return
        libc = _libc()
        with mmap.mmap(self._descriptor, size, prot=mmap.PROT_READ) as kept:
            own = (ctypes.c_char * size).from_address(start)
            if memoryview(kept) != memoryview(own).cast("B"):
                return
        # The library's threads may be reading there, and find the same before and after.
        flags = mmap.MAP_PRIVATE | _MAP_FIXED
        libc.mmap(start, size, mmap.PROT_READ, flags, self._descriptor, 0)

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


def constants_of(path: str) -> tuple[int, int]:
    """Return where a loaded library's relocated constants begin and end.

    Raises:
        LookupError: It is not loaded, or has none.
    """
    last = (0, 0)
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, _, *name = line.split(maxsplit=5)
        if name == [path]:
            start, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and last[1] == start:
                return last  # constants precede what may be written, in one segment
            last = (start, end) if rights.startswith("r--") else (0, 0)
    raise LookupError("the library has no relocated constants")


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return libc
