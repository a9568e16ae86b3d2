"""Hours in which nothing is sent, in one time zone or in several at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_MOST_STEPS: Final = 8
"""Zones whose quiet hours follow each other are waited for one after the other, so often."""


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo | None:
    """Return a time zone by its name; None if this machine does not know it."""
    if name == "UTC":
        return UTC  # also where there is no database of zones
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None


def quiet_seconds(now: datetime, start: time, end: time, zones: Sequence[tzinfo]) -> float:
    """Return for how long it is quiet in any of some zones; 0 if it is in none now.

    Args:
        now: The time, with its offset.
        start: When it becomes quiet, by the clock there.
        end: When it ends; before `start`, on the next day.
        zones: Where.
    """
    moment = now.astimezone(UTC)
    for _ in range(_MOST_STEPS):
        later = max((_end_of_quiet(moment, start, end, zone) for zone in zones), default=moment)
        if later <= moment:
            break
        moment = later
    return (moment - now).total_seconds()


def _end_of_quiet(moment: datetime, start: time, end: time, zone: tzinfo) -> datetime:
    """Return when it is not quiet any more; the moment itself if it is not."""
    there = moment.astimezone(zone)
    clock = there.time()
    is_quiet = start <= clock < end if start <= end else clock >= start or clock < end
    if not is_quiet:
        return moment
    day = there.date() if clock < end else there.date() + timedelta(days=1)
    return datetime.combine(day, end, zone).astimezone(UTC)
