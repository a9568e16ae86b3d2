"""The numbers of system calls, on the machines whose numbers are known."""

import os
from dataclasses import dataclass
from typing import Final

NUMBERS: Final[dict[str, tuple[int, int]]] = {
    # name: number on x86-64, on 64-bit ARM
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clone": (56, 220),
    "clone3": (435, 435),
    "connect": (42, 203),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fcntl": (72, 25),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "listen": (50, 201),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semctl": (66, 191),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setns": (308, 268),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "setsid": (112, 157),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""Of those calls that some process is refused."""
_ALSO: Final = {
    "x86_64": {"fork": 57, "vfork": 58},  # 64-bit ARM has `clone` for all
    "aarch64": {},
}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_ARCHITECTURES: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A kind of machine.

    Attributes:
        architecture: What the kernel calls it.
        numbers: Those of calls, by their names; names that it does not have are missing.
        seccomp: The number of the call that takes a filter.
    """

    architecture: int
    numbers: dict[str, int]
    seccomp: int


def this_machine() -> Machine | None:
    """Return what this machine is; None if its numbers are not known."""
    name = os.uname().machine
    if name not in _ARCHITECTURES:
        return None
    column = list(_ARCHITECTURES).index(name)
    numbers = {call: columns[column] for call, columns in NUMBERS.items()}
    return Machine(
        architecture=_ARCHITECTURES[name],
        numbers=numbers | _ALSO[name],
        seccomp=_SECCOMP[name],
    )
