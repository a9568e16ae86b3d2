"""Gives a process its filter."""

import ctypes
import os
from typing import Final

from gateway_worker.runtime.seccomp.calls import this_machine
from gateway_worker.runtime.seccomp.program import compiled
from gateway_worker.runtime.seccomp.rules import Rules

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_prctl: Final = _LIBC.prctl  # looked up once for all processes that are forked
_syscall: Final = _LIBC.syscall
_PR_SET_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER: Final = 1
_SPEC_ALLOW: Final = 1 << 2
"""Before Linux 5.16 a filter makes each process much slower otherwise, to keep what runs in it from
reading its own memory by speculation. Here it may read that anyway."""
_STEP_BYTES: Final = 8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse(rules: Rules) -> bool:
    """Refuse this process, and all that it starts, some calls for good.

    For the calling thread: to be called before there are others.

    Returns:
        Whether it was done: the calls are known for two kinds of machines.

    Raises:
        OSError: The kernel does not.
    """
    machine = this_machine()
    if machine is None:
        return False
    code = compiled(rules, machine, own_pid=os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // _STEP_BYTES, ctypes.cast(buffer, ctypes.c_void_p))
    if _prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the process can still get other rights")
    flags = ctypes.c_ulong(_SPEC_ALLOW)
    if _syscall(machine.seccomp, _SET_MODE_FILTER, flags, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")
    return True
