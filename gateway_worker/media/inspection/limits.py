"""What the helper process gives up before it looks at a file."""

import os
import resource
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway_worker.media.inspection.protocol import Question
from gateway_worker.runtime.confinement import (
    UnconfinedError,
    code_and_system,
    confine,
    keep_private,
)
from gateway_worker.runtime.seccomp.install import refuse
from gateway_worker.runtime.seccomp.profiles import FILE_HELPER

_FILES: Final = 64
_NICE: Final = 10
"""Sending texts goes before making thumbnails."""


def end_first() -> None:
    """Have the kernel choose this process, and those that it forks, when memory is short.

    To be called before nobody may look into it any more: that file is root's then.
    """
    with suppress(OSError):  # where /proc is read-only; then the kernel chooses by size
        Path("/proc/self/oom_score_adj").write_text("1000")


def give_up(question: Question) -> None:
    """Bound what this process can use, and leave it nothing but the file and its directory.

    What a container's kernel does not do is left out, as with hosts; the limits are always there.

    Raises:
        OSError: There is no such limit.
    """
    limits = question.limits
    os.umask(0o077)
    os.nice(_NICE)
    signal.alarm(limits.wall_seconds)
    # One second later it would be killed; before that it ends in a way that tells why.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        resource.setrlimit(what, (most, most))
    # A write beyond the limit is to be an error that can be told.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    keep_private()
    with suppress(UnconfinedError):
        confine(Path(question.scratch), readable=(*code_and_system(), question.path))
    with suppress(OSError):
        refuse(FILE_HELPER)
