"""Which calls the two kinds of process are refused that read what strangers have made.

Both run as the worker's user, so the kernel lets them change limits, priorities and processors of
the worker, of the fork servers and of all other hosts: by their process ids. An id of 0 means the
process itself, which is all that its own libraries ask for.
"""

from typing import Final

from gateway_worker.runtime.seccomp.rules import OWN_PID, Check, Rules, never, only

_CLONE_THREAD: Final = 0x0001_0000
_NAMESPACES: Final = 0x7E02_0000
"""The flags of `clone` that make a namespace: a user who is root in it has all of the kernel."""
_F_SETOWN: Final = 8
_F_SETOWN_EX: Final = 15
_PR_SET_PDEATHSIG: Final = 1
_FIOSETOWN: Final = 0x8901
_SIOCSPGRP: Final = 0x8902
_TIOCSTI: Final = 0x5412
_PRIO_PROCESS: Final = 0
_IOPRIO_WHO_PROCESS: Final = 1
_AF_INET: Final = 2
_AF_INET6: Final = 10
_AF_NETLINK: Final = 16
"""By which C libraries ask for the machine's own addresses, to sort those of a name."""
_SOCKET_TYPE: Final = 0xF
_SOCK_DGRAM: Final = 2

_ALWAYS: Final[tuple[Check, ...]] = ()
_OTHER_PROCESSES: Final[dict[str, tuple[Check, ...]]] = {
    # Of signals that a descriptor sends by itself.
    "fcntl": (never(1, _F_SETOWN, _F_SETOWN_EX),),
    "ioctl": (never(1, _FIOSETOWN, _SIOCSPGRP, _TIOCSTI),),
    # No fork: it would have limits of its own, and outlive what is killed.
    "clone": (only(0, _CLONE_THREAD, mask=_CLONE_THREAD | _NAMESPACES),),
    "fork": _ALWAYS,
    "vfork": _ALWAYS,
    "execve": _ALWAYS,  # what is in memory only has no place on the disk, which Landlock asks for
    "execveat": _ALWAYS,
    "prctl": (never(0, _PR_SET_PDEATHSIG),),  # it dies with the process that it was forked from
    "prlimit64": (only(0, 0),),
    "sched_setaffinity": (only(0, 0),),
    "sched_setattr": (only(0, 0),),
    "sched_setparam": (only(0, 0),),
    "sched_setscheduler": (only(0, 0),),
    "setpriority": (only(0, _PRIO_PROCESS), only(1, 0)),
    "ioprio_set": (only(0, _IOPRIO_WHO_PROCESS), only(1, 0)),
    "tkill": _ALWAYS,
    "rt_sigqueueinfo": _ALWAYS,
    "rt_tgsigqueueinfo": _ALWAYS,
    "pidfd_getfd": _ALWAYS,
    "pidfd_open": _ALWAYS,
    "pidfd_send_signal": _ALWAYS,
    "setpgid": _ALWAYS,
    "setsid": _ALWAYS,  # it would leave the group that is killed
    "kcmp": _ALWAYS,
    "migrate_pages": _ALWAYS,
    "move_pages": _ALWAYS,
    "process_madvise": _ALWAYS,
    "process_mrelease": _ALWAYS,
    "process_vm_readv": _ALWAYS,
    "process_vm_writev": _ALWAYS,
    "ptrace": _ALWAYS,
    "setns": _ALWAYS,
    "unshare": _ALWAYS,
}
_SHARED_BY_USER: Final[dict[str, tuple[Check, ...]]] = dict.fromkeys(
    (
        *("add_key", "keyctl", "request_key"),
        *("mq_open", "mq_unlink"),
        *("msgctl", "msgget", "msgrcv", "msgsnd"),
        *("semctl", "semget", "semop", "semtimedop"),
        *("shmat", "shmctl", "shmget"),
    ),
    _ALWAYS,
)
_OF_THE_KERNEL: Final[dict[str, tuple[Check, ...]]] = dict.fromkeys(
    (
        "bpf",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",  # makes calls that no filter sees
        "open_by_handle_at",
        "perf_event_open",
        "syslog",
        "userfaultfd",
    ),
    _ALWAYS,
)
_EITHER: Final = _OTHER_PROCESSES | _SHARED_BY_USER | _OF_THE_KERNEL
_MISSING: Final = ("clone3",)
"""Its flags are in memory, where no filter looks; C libraries fall back to `clone`."""

FILE_HELPER: Final = Rules(
    refused=_EITHER
    | dict.fromkeys(("connect", "kill", "listen", "socket", "socketpair", "tgkill"), _ALWAYS),
    missing=_MISSING,
)
"""For what looks at a file: it needs nobody."""

HOST: Final = Rules(
    refused=_EITHER
    | {
        "kill": (only(0, OWN_PID),),
        "tgkill": (only(0, OWN_PID),),  # Go's scheduler interrupts its threads so
        "listen": _ALWAYS,
        # No Unix sockets: neither those of services on this machine nor those of its system.
        "socket": (only(0, _AF_INET, _AF_INET6, _AF_NETLINK),),
        "socketpair": (never(1, _SOCK_DGRAM, mask=_SOCKET_TYPE),),  # it could be sent elsewhere
    },
    missing=_MISSING,
)
"""For a session's host: it connects to WhatsApp, and to nothing on this machine by name."""
