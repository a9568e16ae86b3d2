"""Keeps a device store that fails harmless, for instance on a disk that is full.

The library takes a message whose keys it cannot load or store for one that cannot be read: it
confirms it to WhatsApp, asks the sender for another, and after the fifth such failure never again.
One that it cannot encrypt for a device it sends without that device, and calls it sent. But before
either it writes a warning, and waits until the warning is taken. There the connection is cut, and
the library held until it has none, so that WhatsApp hears nothing: it keeps what came, with all
that come after it, and what was to go has not gone. What is on its way to WhatsApp when a message
cannot be read is answered first; cut off from its answer, nobody would know what became of it.
"""

import re
import threading
from collections.abc import Callable
from typing import Final

from gateway_worker.whatsapp.convert.log_entries import about_message

HOLD_SECONDS: Final = 5.0
"""How long the library is held at most."""

_RECEIVING: Final = b"Error decrypting message "
_FAILED: Final = re.compile(
    rb"failed to decrypt (?:prekey|normal|group) message: (?P<cause>[^\n]+)"
)
_SENDING: Final = re.compile(rb"Failed to encrypt \S+ for \S+: (?P<cause>[^\n]+)")
_STORE_ERROR: Final = re.compile(
    rb"driver: bad connection|sql: |context deadline exceeded"
    rb"|database or disk is full|disk I/O error|unable to open database file|database is locked"
    rb"|readonly database|database disk image is malformed|file is not a database"
)


def failed_to_read(line: bytes) -> str | None:
    """Return the id of a message that was given up because its keys could not be had, else None.

    Args:
        line: The text of a log entry.
    """
    found = about_message(line, _RECEIVING)
    match = None if found is None else _FAILED.search(found.matter)
    if found is None or match is None or not _STORE_ERROR.search(match["cause"]):
        return None
    return found.message_id.decode(errors="replace")


def failed_to_encrypt(line: bytes) -> bool:
    """Whether an entry's text says that a device is left out because its keys could not be had."""
    match = _SENDING.match(line)
    return match is not None and _STORE_ERROR.search(match["cause"]) is not None


class StoreWatch:
    """Cuts the connection when the device store fails a message.

    Called on the library's threads.

    Args:
        answered: Waits for the answer to what was sent, for a moment at most.
        cut: Cuts the connections to WhatsApp; done when it returns.
        failed: Told after that, once for each message.
        disconnected: Set once the library has no connection and makes none any more.
    """

    def __init__(
        self,
        *,
        answered: Callable[[], object],
        cut: Callable[[], object],
        failed: Callable[[], None],
        disconnected: threading.Event,
    ) -> None:
        self._answered = answered
        self._cut = cut
        self._failed = failed
        self._disconnected = disconnected
        self._kept: set[str] = set()

    def log(self, line: bytes) -> None:
        """Take the text of a log entry, at the moment that it is written."""
        message_id = failed_to_read(line)
        if message_id is not None:
            self._kept.add(message_id)
            self._answered()
        elif not failed_to_encrypt(line):
            return
        self._cut()
        self._failed()
        self._disconnected.wait(HOLD_SECONDS)

    def is_kept(self, message_id: str) -> bool:
        """Whether a message that could not be read will be sent again by WhatsApp."""
        return message_id in self._kept
