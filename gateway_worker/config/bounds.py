"""How large a number may be that is set: more than anybody means, and what everything can count.

A setting that is meant to say "for ever" must not end in dates before the calendar, or in timers
that no clock has.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from gateway_worker.config.settings import definition
from gateway_worker.config.variables import BY_NAME

_YEARS: Final = 100
_MOST_DAYS: Final = 365 * _YEARS
_MOST_SECONDS: Final = _MOST_DAYS * 86_400
_MOST_MEBIBYTES: Final = 1024 * 1024
_MOST: Final = 2**53
_UNBOUNDED: Final = frozenset({"AMQP_FULL_QUEUE_PATIENCE_SECONDS"})
"""What may be `inf`."""


def too_large(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the names of settings that are out of every bound, with what is wrong.

    Args:
        given: Texts by the names of our settings.
    """
    for name, text in given.items():
        if definition(BY_NAME[name]).annotation not in (int, float):
            continue
        try:
            number = abs(float(text))
        except ValueError:
            continue  # no number at all, which is told otherwise
        if number == math.inf and name in _UNBOUNDED:
            continue
        most = _most(name)
        if not number <= most:
            yield name, f"at most {most:,} can be set"


def _most(name: str) -> int:
    match name.rpartition("_")[2]:
        case "DAYS":
            return _MOST_DAYS
        case "SECONDS":
            return _MOST_SECONDS
        case "MIB":
            return _MOST_MEBIBYTES
        case _:
            return _MOST
