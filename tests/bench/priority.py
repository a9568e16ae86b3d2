"""What stands for another machine on this one goes after everything that is measured."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

STORE: Final = "weed"
"""The object store's process."""
_LAST: Final = 19


def put_last(name: str) -> None:
    """Give what this process has started under a name the lowest priority.

    Outside of containers Linux shares the processors among sessions of processes, each of which has
    a priority of its own beside those of its threads.
    """
    for process in psutil.Process().children(recursive=True):
        if process.name() == name:
            os.setpriority(os.PRIO_PGRP, os.getpgid(process.pid), _LAST)
            with suppress(OSError):  # this kernel shares them in another way
                Path(f"/proc/{process.pid}/autogroup").write_text(str(_LAST))
