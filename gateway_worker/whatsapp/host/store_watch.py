"""Keeps a device store that fails from costing messages.

The library takes a message whose keys it cannot load or store for one that cannot be read: it
confirms it to WhatsApp, asks the sender for another, and after the fifth such failure never again.
But before all that it writes a warning, and waits until the warning is taken: the connection is cut
there, so that WhatsApp hears nothing and keeps the message, with all that come behind it.
"""

import re
from collections.abc import Callable
from typing import Final

# What comes behind the last "failed to decrypt" is the library's own; a message's id is not.
_LINE: Final = re.compile(
    rb"Error decrypting message (\S+) from .*failed to decrypt (?:prekey|normal|group) message: "
    rb"(?P<cause>[^\n\x12]+)",
    re.DOTALL,
)
_STORE_ERROR: Final = re.compile(
    rb"\bpq: |driver: bad connection|sql: |(?:read|write|dial) (?:tcp|unix) |: EOF$"
    rb"|broken pipe|i/o timeout|context deadline exceeded|\btls: "
)


def store_failure(line: bytes) -> str | None:
    """Return the id of a message that was given up because its keys could not be had, else None.

    Args:
        line: The bytes of a log entry, in which the text is followed by other fields.
    """
    match = _LINE.search(line)
    if match is None or not _STORE_ERROR.search(match["cause"]):
        return None
    return match[1].decode(errors="replace")


class StoreWatch:
    """Cuts the connection at the first message that the device store fails.

    Called on the library's threads.

    Args:
        cut: Cuts the connections to WhatsApp; done when it returns.
        failed: Told after that, once for each message.
    """

    def __init__(self, *, cut: Callable[[], object], failed: Callable[[], None]) -> None:
        self._cut = cut
        self._failed = failed
        self._kept: set[str] = set()

    def log(self, line: bytes) -> None:
        """Take a log entry, at the moment that it is written."""
        if (message_id := store_failure(line)) is not None:
            self._kept.add(message_id)
            self._cut()
            self._failed()

    def is_kept(self, message_id: str) -> bool:
        """Whether a message that could not be read will be sent again by WhatsApp."""
        return message_id in self._kept
