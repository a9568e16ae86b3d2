"""The limit of open files: as high as this process may have it, and told if that is too little."""

import resource
from dataclasses import dataclass
from typing import Final

_MOST: Final = 1_048_576
"""More makes nothing better, and some programs walk over all that there may be."""
_FOR_A_SESSION: Final = 2
"""A socket and a descriptor of the process; the fork server has one more in its own table."""
_FOR_THE_REST: Final = 200
"""Connections to services, files that are copied, the probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorLimit:
    """How many files may be open.

    Attributes:
        before: The limit that the process was started with.
        now: The limit by now.
    """

    before: int
    now: int

    def suffices_for(self, sessions: int) -> bool:
        """Whether so many sessions fit."""
        return self.now >= needed_for(sessions)


def needed_for(sessions: int) -> int:
    """Return how many descriptors a worker with so many sessions may have open."""
    return _FOR_THE_REST + _FOR_A_SESSION * sessions


def raise_descriptor_limit() -> DescriptorLimit:
    """Raise the soft limit to the hard one; what is started from now on inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = _MOST if soft == resource.RLIM_INFINITY else soft
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if before >= most:
        return DescriptorLimit(before=before, now=before)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # refused by the system: it stays as it is
        return DescriptorLimit(before=before, now=before)
    return DescriptorLimit(before=before, now=most)
