"""What a filter refuses: calls as such, or calls with certain arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OWN_PID: Final = -1
"""Stands for the process that gets the filter."""
_WORD: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Check:
    """A look at one argument of a call, of which the lower 32 bits count.

    That is all of what the kernel reads of a process id, a descriptor, a request and the flags of
    `clone`.

    Attributes:
        argument: Which one, from 0 on.
        values: What it is compared with.
        mask: Which of its bits.
        is_only: Whether those values are the only ones that pass; otherwise they do not, and all
            others do.
    """

    argument: int
    values: tuple[int, ...]
    mask: int
    is_only: bool


def only(argument: int, *values: int, mask: int = _WORD) -> Check:
    """Refuse a call unless an argument has one of these values."""
    return Check(argument, values, mask, is_only=True)


def never(argument: int, *values: int, mask: int = _WORD) -> Check:
    """Refuse a call if an argument has one of these values."""
    return Check(argument, values, mask, is_only=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one kind of process is refused, with EPERM.

    Attributes:
        refused: The calls by their names, each with its checks, one of which is enough to refuse
            it; without any it is always refused.
        missing: Calls that the kernel seems not to have (ENOSYS): who is told so does it otherwise.
    """

    refused: Mapping[str, tuple[Check, ...]]
    missing: tuple[str, ...]
