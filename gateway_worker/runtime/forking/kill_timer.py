"""A timer of the kernel's that ends this process, whether or not it can still run."""

import ctypes
import errno
import math
import signal
import time
from typing import Final

_SIGEV_SIGNAL: Final = 0
_TIMER_ABSTIME: Final = 1
_NANOSECONDS: Final = 1_000_000_000


class _SignalEvent(ctypes.Structure):
    """Linux's `struct sigevent`."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_byte * 48),
    )


class _Moment(ctypes.Structure):
    """Linux's `struct itimerspec` with 64 bits: a moment, and no interval when it is 0."""

    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class KillTimer:
    """Kills this process (SIGKILL) at a moment that can be put off; unset at first.

    The kernel does that by itself: also while the process is stopped or frozen, which a signal of
    any other kind or a look at the clock would outlast. What has asked to `die_with_parent` goes
    with it, stopped or not. If the whole machine was suspended then, it ends as soon as that wakes
    up. What is forked does not have the timer.

    Raises:
        OSError: The kernel, or the C library, has no such timer to give.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()
        if not hasattr(self._libc, "timer_create"):  # glibc before 2.34
            raise OSError(errno.ENOSYS, "the C library has no timers")
        event = _SignalEvent(signal=signal.SIGKILL, notify=_SIGEV_SIGNAL)
        self._check(
            self._libc.timer_create(
                time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(self._timer)
            )
        )

    def set(self, at: float) -> None:
        """Kill this process then, instead of when it was to be before.

        Args:
            at: By `lease_time`. A moment that is over is now; infinity is never.

        Raises:
            OSError: The kernel refuses.
        """
        moment = _Moment() if at == math.inf else _moment(at)
        self._check(
            self._libc.timer_settime(self._timer, _TIMER_ABSTIME, ctypes.byref(moment), None)
        )

    def _check(self, status: int) -> None:
        if status != 0:
            raise OSError(ctypes.get_errno(), "the kernel has no such timer")


def _moment(at: float) -> _Moment:
    nanoseconds = max(1, int(at * _NANOSECONDS))  # 0 would be never
    return _Moment(seconds=nanoseconds // _NANOSECONDS, nanoseconds=nanoseconds % _NANOSECONDS)
