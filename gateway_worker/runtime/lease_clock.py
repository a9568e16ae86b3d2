"""The clock by which this machine's processes measure a lease."""

import time


def lease_time() -> float:
    """Return the seconds since the machine was started, those in which it was suspended included.

    The database's clock goes on while the machine is suspended, and so does this one; the monotonic
    clock does not, by which a lease that others have taken for ended would still be held. It is the
    same for all processes of a machine, and nobody can set it.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)
