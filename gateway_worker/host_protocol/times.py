"""Times as WhatsApp tells them."""

from datetime import UTC, datetime
from typing import Final

_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, with which calendars end."""


def is_time(seconds: int) -> bool:
    """Whether a number of seconds since 1970 is a time that can be told."""
    return 0 < seconds <= _LAST_SECOND


def moment(seconds: int) -> datetime | None:
    """Return the time so many seconds after 1970 began; None if there is none to be told."""
    return datetime.fromtimestamp(seconds, tz=UTC) if is_time(seconds) else None
