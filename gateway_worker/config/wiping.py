"""Takes the secrets out of this process's environment once they have been read.

The environment is the first place in which somebody looks who has got hold of a process, and each
child gets a copy.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway_worker.config.settings import is_secret
from gateway_worker.config.variables import VARIABLES

_FOREIGN: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Read by a library, whenever it likes: they stay for it, and go from what others can see."""
_START, _END = 47, 48
"""Where the block lies: places in /proc/self/stat behind the process's name."""


def wipe_secrets() -> None:
    """Forget the secret settings that came in the environment; never raises.

    For a process that has read its settings and will not read them again.
    """
    names = [variable.name for variable in VARIABLES if is_secret(variable)]
    for name in names:
        os.environ.pop(name, None)
    try:
        _overwrite({name.encode() for name in (*names, *_FOREIGN)})
    except (OSError, ValueError, IndexError):  # no /proc: nobody sees the block there either
        return


def _overwrite(names: Iterable[bytes]) -> None:
    """Write zeros over values in the block that the process was started with."""
    fields = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()
    start, end = int(fields[_START]), int(fields[_END])
    if not start < end:
        return
    place = start
    wanted = set(names)
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name in wanted:
            ctypes.memset(place + len(name) + 1, 0, len(value))
        place += len(entry) + 1
