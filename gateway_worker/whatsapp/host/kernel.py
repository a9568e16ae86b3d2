"""What a host asks of Linux: late timers, its own output, a lock, a cut."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway_worker.host_protocol.layout import LOCK_NAME
from gateway_worker.runtime.forking.kernel import prctl

ERRORS_LIMIT_BYTES: Final = 256 * 1024
"""Of what the library and Go say on standard error, while the host lives."""
_ERRORS: Final = 2
_PR_SET_TIMERSLACK: Final = 29
_NOWHERE: Final = bytes(16)
"""An address without a family: a connection to there is no connection any more."""
_LAST_RECEIVED_AT: Final = 52
"""Where `tcpi_last_data_recv` is in Linux's `tcp_info`: after eight bytes and eleven numbers."""
_MILLISECONDS: Final = struct.Struct("=I")


def coarsen_timers(seconds: float) -> None:
    """Let sleeps of this thread, and of the threads that it starts from now on, end so much late.

    Waiting for anything but a time takes no longer.
    """
    prctl(_PR_SET_TIMERSLACK, int(seconds * 1e9))


def silence_output(errors: Path) -> None:
    """Send standard output to nowhere and standard error to a file that is started anew.

    Both Go and the library print; what Go says when it crashes is worth keeping.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    kept = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(kept, _ERRORS)
    os.close(kept)


def bound_errors(limit_bytes: int = ERRORS_LIMIT_BYTES) -> None:
    """Begin the file of standard error anew if it has grown beyond its limit.

    What is worth keeping comes last. The file is appended to, so it has no hole. Costs next to
    nothing.
    """
    with suppress(OSError):
        if os.fstat(_ERRORS).st_size > limit_bytes:
            os.ftruncate(_ERRORS, 0)


def lock_directory(directory: Path) -> int:
    """Wait until no other host uses the directory, and keep it until this process ends.

    Two hosts on one device store would throw each other off WhatsApp. After a worker was killed,
    its hosts live on for some milliseconds.
    """
    while True:
        path = directory / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)  # the directory was removed meanwhile, and perhaps made again


def force_to_disk(path: Path) -> None:
    """Wait until a file or directory is on the disk; nothing if it cannot be."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cut_connections() -> int:
    """Shut down this process's internet connections; returns how many there were.

    Whoever reads from one finds it closed by the other side. Only those that are there when it
    begins: what is made meanwhile in their place is left alone.
    """
    with _connections() as found:
        for connection in found:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)
        return len(found)


def hold_back_output() -> None:
    """Have the kernel keep what goes out over this process's internet connections from now on.

    It does so for 200 milliseconds, and unless that is more than fits a packet. The other side
    notices nothing.
    """
    with _connections() as found:
        for connection in found:
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)


def reset_connections() -> None:
    """Reset this process's internet connections; what has not gone out yet never does."""
    libc = ctypes.CDLL(None)
    with _connections() as found:
        for connection in found:
            libc.connect(connection.fileno(), _NOWHERE, len(_NOWHERE))


def seconds_since_received() -> float | None:
    """Return how long ago the last byte came over an internet connection of this process.

    Of several connections the one that has heard last counts. None: there is none.
    """
    ages: list[float] = []
    with _connections() as found:
        for connection in found:
            with suppress(OSError):
                info = connection.getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_RECEIVED_AT + _MILLISECONDS.size
                )
                ages.append(_MILLISECONDS.unpack_from(info, _LAST_RECEIVED_AT)[0] / 1000)
    return min(ages, default=None)


@contextmanager
def _connections() -> Iterator[list[socket.socket]]:
    """Lend this process's internet connections."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(connection)
            for entry in Path("/proc/self/fd").iterdir()
            if (connection := _connection(int(entry.name))) is not None
        ]


class _Borrowed(socket.socket):
    """A socket that somebody else will close.

    Nothing is duplicated: closing a duplicate of a file would give up all locks that the process
    has on it, and then another that reads SQLite's file takes itself for its only user, and removes
    the write-ahead log from under the library.
    """

    def close(self) -> None:
        self.detach()


def _connection(descriptor: int) -> socket.socket | None:
    try:
        found = _Borrowed(fileno=descriptor)
    except OSError:  # no socket, or closed by now
        return None
    if found.family in (socket.AF_INET, socket.AF_INET6):
        return found
    found.close()
    return None
