"""What the library says about devices that it does not send a message to.

It leaves out a device that it has no keys for, writes a warning, and calls the send a success. The
warnings come on the sending thread before the send returns, and one send is under way at a time, so
what was said meanwhile belongs to it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway_worker.whatsapp.convert.failures import backoff_of, status_of
from gateway_worker.whatsapp.convert.people import without_device

_TROUBLE: Final = b"Failed to "
_NO_KEYS: Final = re.compile(r"Failed to fetch prekeys for \[.*\] with no existing session: (.*)")
_NO_KEY: Final = re.compile(r"Failed to fetch prekey for (\S+): (.*)")
_NOT_ENCRYPTED: Final = re.compile(r"Failed to encrypt \S+ for (\S+): ")
_NOT_STORED: Final = "Failed to store message secret"
_OTHER_LIST: Final = b"Server returned different participant list hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there were no keys.

    Attributes:
        status: WhatsApp's answer to the query; None if it gave none.
        retry_after_seconds: How long it wants to be left alone, if it said so.
    """

    status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(slots=True, kw_only=True)
class Remarks:
    """What the library said during one send.

    Attributes:
        left_out: The devices that the message was not encrypted for, as JIDs.
        causes: Why, where that was said of a device.
        cause: Why no keys at all could be fetched, if that was said.
        is_list_outdated: The server knows other devices than the library did.
        has_lost_secret: The message's secret was not stored.
    """

    left_out: list[str] = field(default_factory=list)
    causes: dict[str, Cause] = field(default_factory=dict)
    cause: Cause | None = None
    is_list_outdated: bool = False
    has_lost_secret: bool = False

    def strangers(self, own: frozenset[str]) -> list[str]:
        """Return the devices left out that are not the account's own (JIDs without device)."""
        return [device for device in self.left_out if without_device(device) not in own]

    def cause_of(self, devices: Iterable[str]) -> Cause | None:
        """Return why devices were left out; of several causes the one that may pass."""
        found = [self.causes.get(device, self.cause) for device in devices]
        known = [cause for cause in found if cause is not None]
        return max(known, key=lambda cause: cause.status or 0, default=None)


class SendRemarks:
    """Gathers remarks while a send is under way; called by the library's logger, too."""

    def __init__(self) -> None:
        self._current: Remarks | None = None

    def begin(self) -> None:
        """A send begins."""
        self._current = Remarks()

    def end(self) -> Remarks:
        """Return what was said since it began."""
        remarks, self._current = self._current, None
        return remarks or Remarks()

    def log(self, text: bytes) -> None:
        """Take the text of an entry of the library's log."""
        current = self._current
        if current is None:
            return
        if text.startswith(_OTHER_LIST):
            current.is_list_outdated = True
        elif text.startswith(_TROUBLE):
            _note(current, text.decode(errors="replace"))


def _note(remarks: Remarks, text: str) -> None:
    if text.startswith(_NOT_STORED):
        remarks.has_lost_secret = True
    elif found := _NOT_ENCRYPTED.match(text):
        remarks.left_out.append(found[1])
    elif found := _NO_KEY.match(text):
        remarks.causes[found[1]] = _cause(found[2])
    elif found := _NO_KEYS.match(text):
        remarks.cause = _cause(found[1])


def _cause(text: str) -> Cause:
    return Cause(status=status_of(text), retry_after_seconds=backoff_of(text))
