"""System calls that processes are refused which read what strangers have made, as data.

None of them would do anything if it were not refused: they name a process that there is none of, a
descriptor that is not open, or flags that do not go together. `PROBE` tells what became of one.
"""

from typing import Final

Call = tuple[str, tuple[int | str, ...]]
"""A call and its arguments; `own` stands for the id of the process that makes it."""

_NOBODY: Final = 2**30
"""More than any process's id."""
_NO_FILE: Final = -1

REFUSED: Final[tuple[Call, ...]] = (
    # Limits, priorities and processors of others; those of a user's and a group's processes.
    ("prlimit64", (_NOBODY, 0, 0, 0)),
    ("sched_setaffinity", (_NOBODY, 0, 0)),
    ("sched_setattr", (_NOBODY, 0, 0)),
    ("sched_setparam", (_NOBODY, 0)),
    ("sched_setscheduler", (_NOBODY, 0, 0)),
    ("setpriority", (0, _NOBODY, 19)),
    ("setpriority", (1, 0, 19)),
    ("setpriority", (2, 0, 19)),
    ("ioprio_set", (1, _NOBODY, 0)),
    ("ioprio_set", (2, 0, 0)),
    ("ioprio_set", (3, 0, 0)),
    # Signals, also those that a descriptor sends.
    ("kill", (_NOBODY, 0)),
    ("kill", (-1, 0)),
    ("tkill", (_NOBODY, 0)),
    ("tgkill", (_NOBODY, _NOBODY, 0)),
    ("rt_sigqueueinfo", (_NOBODY, 0, 0)),
    ("rt_tgsigqueueinfo", (_NOBODY, _NOBODY, 0, 0)),
    ("pidfd_open", (_NOBODY, 0)),
    ("pidfd_send_signal", (_NO_FILE, 0, 0, 0)),
    ("pidfd_getfd", (_NO_FILE, 0, 0)),
    ("fcntl", (_NO_FILE, 8, 1)),
    ("fcntl", (_NO_FILE, 15, 0)),
    ("ioctl", (_NO_FILE, 0x8901, 0)),
    ("ioctl", (_NO_FILE, 0x8902, 0)),
    ("ioctl", (_NO_FILE, 0x5412, 0)),
    # Processes and namespaces: forks, a user's namespace, threads with one of their own.
    ("fork", ()),
    ("vfork", ()),
    ("clone", (0x800, 0, 0, 0, 0)),
    ("clone", (0x1000_0000 | 0x800, 0, 0, 0, 0)),
    ("clone", (0x1000_0000 | 0x1_0000, 0, 0, 0, 0)),
    ("unshare", (0x1000_0000,)),
    ("setns", (_NO_FILE, 0)),
    ("setsid", ()),
    ("setpgid", (0, 0)),
    ("prctl", (1, 0)),
    ("execve", (0, 0, 0)),
    ("execveat", (_NO_FILE, 0, 0, 0, 0)),
    # Memory of others.
    ("ptrace", (16, _NOBODY, 0, 0)),
    ("process_vm_readv", (_NOBODY, 0, 0, 0, 0, 0)),
    ("process_vm_writev", (_NOBODY, 0, 0, 0, 0, 0)),
    ("process_madvise", (_NO_FILE, 0, 0, 0, 0)),
    ("process_mrelease", (_NO_FILE, 0)),
    ("kcmp", (_NOBODY, _NOBODY, 0, 0, 0)),
    ("migrate_pages", (_NOBODY, 0, 0, 0)),
    ("move_pages", (_NOBODY, 0, 0, 0, 0, 0)),
    # What a user's processes share.
    ("add_key", (0, 0, 0, 0, 0)),
    ("request_key", (0, 0, 0, 0)),
    ("keyctl", (0, 0, 0, 0, 0)),
    ("mq_open", (0, 0, 0, 0)),
    ("mq_unlink", (0,)),
    ("msgget", (1, 0)),
    ("msgctl", (_NO_FILE, 0, 0)),
    ("msgrcv", (_NO_FILE, 0, 0, 0, 0)),
    ("msgsnd", (_NO_FILE, 0, 0, 0)),
    ("semget", (1, 0, 0)),
    ("semctl", (_NO_FILE, 0, 0, 0)),
    ("semop", (_NO_FILE, 0, 0)),
    ("semtimedop", (_NO_FILE, 0, 0, 0)),
    ("shmget", (1, 0, 0)),
    ("shmat", (_NO_FILE, 0, 0)),
    ("shmctl", (_NO_FILE, 0, 0)),
    # The kernel's own machines.
    ("bpf", (_NO_FILE, 0, 0)),
    ("io_uring_setup", (0, 0)),
    ("io_uring_enter", (_NO_FILE, 0, 0, 0, 0, 0)),
    ("io_uring_register", (_NO_FILE, 0, 0, 0)),
    ("open_by_handle_at", (_NO_FILE, 0, 0)),
    ("perf_event_open", (0, 0, 0, 0, 0)),
    ("syslog", (_NO_FILE, 0, 0)),
    ("userfaultfd", (_NO_FILE,)),
    # Those who wait for connections, Unix sockets, and what is no network at all.
    ("listen", (_NO_FILE, 0)),
    ("socket", (1, 1, 0)),
    ("socket", (1, 2, 0)),
    ("socket", (38, 5, 0)),
    ("socket", (40, 1, 0)),
    ("socketpair", (1, 2, 0, 0)),
)

STILL_TAKEN: Final[tuple[Call, ...]] = (
    ("prlimit64", (0, 7, 0, 0)),
    ("sched_setaffinity", (0, 0, 0)),
    ("sched_setscheduler", (0, 0, 0)),
    ("setpriority", (0, 0, 19)),
    ("ioprio_set", (1, 0, 0)),
    ("fcntl", (0, 1, 0)),
    ("prctl", (3, 0)),
    ("ioctl", (_NO_FILE, 0x5421, 0)),
    ("clone", (0x1_0000, 0, 0, 0, 0)),
)
"""What libraries ask for, of their own process; no thread comes of that `clone`."""

TAKEN_OF_HOSTS: Final[tuple[Call, ...]] = (
    ("kill", ("own", 0)),
    ("tgkill", ("own", "own", 0)),
    ("socket", (2, 1, 0)),
    ("socket", (10, 2, 0)),
    ("socket", (16, 3, 0)),
    ("socketpair", (1, 1, 0, 0)),
)

PROBE: Final = """
import ctypes, errno, os
from gateway_worker.runtime.seccomp.calls import this_machine

def is_refused(call, arguments):
    number = this_machine().numbers.get(call)
    if number is None:  # what this machine does not have
        return None
    values = (os.getpid() if value == "own" else value for value in arguments)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, *map(ctypes.c_long, values))
    return result == -1 and ctypes.get_errno() == errno.EPERM

def of(calls, wanted):
    return [call for call in calls if is_refused(*call) not in {None, wanted}]
"""
"""Code that defines `of`: which of some calls are not as they should be."""
