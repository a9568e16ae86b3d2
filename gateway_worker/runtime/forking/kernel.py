"""What a fork server and its processes ask of Linux: to die with the parent, and a name."""

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies.

    Args:
        parent: The parent's process id; if it has died already this process ends now.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take back `die_with_parent`."""
    prctl(_PR_SET_PDEATHSIG, 0)


def name_process(name: str) -> None:
    """Show a name of at most 15 bytes in process lists."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    prctl(_PR_SET_NAME, ctypes.addressof(buffer))


def reap_children() -> None:
    """Wait for every child that this process has so far; they must be about to end."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def count_threads() -> int:
    """Return the number of this process's threads."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def prctl(option: int, value: int) -> None:
    """Change an attribute of this process, or of the calling thread.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")
