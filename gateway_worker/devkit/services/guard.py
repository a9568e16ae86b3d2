"""Becomes another program that dies with the process that started it.

Run as a script: `python -I -S guard.py PARENT_PID UID GID PROGRAM [ARGUMENT...]`. A process of its
own and not a `preexec_fn`, because forking Python code out of a process with threads may deadlock.
UID and GID are -1 to stay who we are; the parent-death signal is cleared by a change of user, so it
is set after.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 70


def main(arguments: list[str]) -> None:
    """Drop the user, tie our life to the parent's, then exec."""
    parent, uid, gid = (int(value) for value in arguments[:3])
    program = arguments[3:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was set
        sys.exit(PARENT_IS_GONE)
    os.execvp(program[0], program)  # noqa: S606 - that is this file's whole purpose


if __name__ == "__main__":
    main(sys.argv[1:])
