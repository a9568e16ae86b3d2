"""System calls that a process gives up for good: the network, other programs, other processes.

Landlock closes the disk; it does not know of datagrams. A filter is a program for the kernel in a
handful of instructions, each a comparison with the number of a call, which differs by machine.
"""

import ctypes
import platform
import struct
from collections.abc import Iterable
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_NUMBER_AT: Final = 0
_MACHINE_AT: Final = 4
_ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0001
"""With EPERM."""
_KILL: Final = 0x8000_0000
_FIRST_OF_X32: Final = 0x4000_0000
"""The same calls by other numbers, on x86-64."""

_MACHINES: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_REFUSED: Final = {
    # name: number on x86-64, on 64-bit ARM
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "setsid": (112, 157),  # it would leave the group that is killed
    "setpgid": (109, 154),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),  # makes calls that no filter sees
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse_outside() -> bool:
    """Refuse this process and all that it starts the network, other programs and other processes.

    For the calling thread: to be called before there are others.

    Returns:
        Whether it was done: the calls are known for two kinds of machines.

    Raises:
        OSError: The kernel does not.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        return False
    column = list(_MACHINES).index(machine)
    code = _program(_MACHINES[machine], [numbers[column] for numbers in _REFUSED.values()])
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    for option, value, argument in (
        (_PR_SET_NO_NEW_PRIVS, 1, None),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program)),
    ):
        if _LIBC.prctl(option, ctypes.c_ulong(value), argument, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")
    return True


def _program(machine: int, refused: Iterable[int]) -> bytes:
    numbers = sorted(refused)
    steps = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_JUMP_IF_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_IF_AT_LEAST, len(numbers) + 1, 0, _FIRST_OF_X32),
    ]
    steps += [
        (_JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)
    ]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
