"""Times as WhatsApp tells them."""

import time
from datetime import UTC, datetime
from typing import Final

_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, with which calendars end."""


def is_time(seconds: int) -> bool:
    """Whether a number of seconds since 1970 is a time that can be told."""
    return 0 < seconds <= _LAST_SECOND


def rfc3339(seconds: int) -> str:
    """Return the moment so many seconds after 1970 began, as the contract writes it, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def rfc3339_or_now(seconds: int) -> str:
    """Return such a moment, or the present one if that is none that can be told."""
    return rfc3339(seconds if is_time(seconds) else int(time.time()))


def moment(seconds: int) -> datetime | None:
    """Return the time so many seconds after 1970 began; None if there is none to be told."""
    return datetime.fromtimestamp(seconds, tz=UTC) if is_time(seconds) else None
