"""What the library calls, on its threads: it stores or queues, wakes the loop and returns.

Messages, receipts and notices go to the spool, what is worth something for a moment only to a short
queue, the rest becomes signals for the loop.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError
from neonize.proto.Neonize_pb2 import OfflineSyncPreview, UndecryptableMessage

from gateway_worker.host_protocol.envelope import Notice
from gateway_worker.host_protocol.spool_format import MAX_PAYLOAD_BYTES
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.log_entries import text_of
from gateway_worker.whatsapp.convert.stops import NO_REFUSAL, refusal
from gateway_worker.whatsapp.convert.texts import message_id
from gateway_worker.whatsapp.convert.undecryptable import id_of, swallowed
from gateway_worker.whatsapp.host.arriving import (
    ARRIVING,
    MESSAGE,
    RECEIPT,
    SWALLOWED,
    UNDECRYPTABLE,
)
from gateway_worker.whatsapp.host.arriving.event import (
    OFFLINE_FLAG,
    ArrivingEvent,
    repeats_flag,
)
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from gateway_worker.whatsapp.host.left_out import SendRemarks
from gateway_worker.whatsapp.host.library_events import (
    CONNECTED,
    DISCONNECTED,
    HISTORY_SYNC,
    OFFLINE_COMPLETED,
    OFFLINE_PREVIEW,
)
from gateway_worker.whatsapp.host.receipts import ReceiptFilter
from gateway_worker.whatsapp.host.repeats import Repeats
from gateway_worker.whatsapp.host.spool import Spool, SpoolClosedError
from gateway_worker.whatsapp.host.store_watch import StoreWatch
from gateway_worker.whatsapp.host.volatile import VolatileEvents

_LEFT_OUT: Final = re.compile(rb"Failed to encrypt (\S+) for ")
"""How the library warns of a device that a message is not encrypted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEvent:
    """An event of the connection, for the loop."""

    code: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QrShown:
    """The library has a new QR code."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingDone:
    """The library has ended pairing: `success`, `timeout`, `passkey-request` or another error."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryReturned:
    """The library's client has ended; `error` is "" for no error."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """The device store has failed a message; the connection is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A connection is there and the server has taken the login.

    Attributes:
        connection: Which one, by the count of the loop.
        own: Whose it is.
    """

    connection: int
    own: Person


HostSignal = LinkEvent | LoggedIn | QrShown | PairingDone | LibraryReturned | StoreFailed | Notice


class LibraryCallbacks:
    """What the library calls.

    Args:
        spool: Where messages and receipts go.
        tell: Hands something to the loop; never blocks.
        wake: Tells the loop that there is something in the spool.
        handed: Told of each message that is in the spool.
        watch: Sees to it that a failing device store costs no message.
        remarks: Told of every log entry.
        volatile: Where what is worth something for a moment only goes.
        ignoring: Says what is not for backends.
        history: Keeps what was written before the account was linked.

    Attributes:
        is_busy: Whether an event is being taken.
        last_event_at: When the last one was, by the monotonic clock.
        refused: The last refusal of a login that the library has logged.
    """

    def __init__(  # noqa: PLR0913 - whatever the library tells has its own place
        self,
        *,
        spool: Spool,
        tell: Callable[[HostSignal], None],
        wake: Callable[[], None],
        handed: Callable[[], None],
        watch: StoreWatch,
        remarks: SendRemarks,
        volatile: VolatileEvents,
        ignoring: IgnoredArrivals,
        history: Callable[[bytes], None],
    ) -> None:
        self._history = history
        self._spool = spool
        self._tell = tell
        self._wake = wake
        self._handed = handed
        self._watch = watch
        self._remarks = remarks
        self._volatile = volatile
        self._ignoring = ignoring
        self._flags = 0
        self._receipts = ReceiptFilter()
        self._repeats = Repeats()
        self.is_busy = False
        self.last_event_at = 0.0
        self.refused = NO_REFUSAL

    @property
    def retries(self) -> int:
        """How often devices of others have asked for a message again."""
        return self._receipts.retries

    def event(self, code: int, data: bytes) -> None:
        """Take an event. While this waits for room, WhatsApp keeps what comes next."""
        self.is_busy = True
        try:
            self._take(code, data)
        finally:
            self.last_event_at = time.monotonic()
            self.is_busy = False

    def _take(self, code: int, data: bytes) -> None:
        if code == MESSAGE:
            # What is ignored is done with: its keys must not come back either.
            if self._ignoring.takes(data) or self._store(code, data):
                self._handed()
        elif code == UNDECRYPTABLE:
            self._on_undecryptable(code, data)
        elif code == RECEIPT:
            for part, key in self._receipts.news(data):
                if self._store(code, part) and key is not None:
                    self._receipts.keep(key)
        elif (event := ARRIVING.get(code)) is not None:
            self._on_notice(event, data)
        elif code == HISTORY_SYNC:
            self._history(data)
        else:
            self._on_link(code, data)

    def _on_undecryptable(self, code: int, data: bytes) -> None:
        try:
            identity = UndecryptableMessage.FromString(data).Info.ID
        except DecodeError:  # not to be told here what it is, but to be told
            identity = ""
        if not self._watch.is_kept(identity) and not self._ignoring.takes(data):
            self._tell(_undecryptable(identity))
            self._store(code, data)

    def _on_notice(self, event: ArrivingEvent, data: bytes) -> None:
        if event.volatile_seconds is None:
            repeats = 0 if event.identity is None else self._repeats.count(event.code, data)
            self._store(event.code, data, flags=repeats_flag(repeats))
        else:
            self._volatile.put(event.tell, event.code, data, seconds=event.volatile_seconds)
            self._wake()

    def _on_link(self, code: int, data: bytes) -> None:
        """Take an event of the connection. What had waited comes between two that are for here."""
        if code in {CONNECTED, DISCONNECTED, OFFLINE_PREVIEW}:
            self._repeats.begin()
        if code in {OFFLINE_PREVIEW, OFFLINE_COMPLETED}:
            is_ahead = code == OFFLINE_PREVIEW and OfflineSyncPreview.FromString(data).Message
            self._flags = OFFLINE_FLAG if is_ahead else 0
        else:
            self._tell(LinkEvent(code=code, data=data))

    def _store(self, code: int, data: bytes, *, flags: int = 0) -> bool:
        if len(data) > MAX_PAYLOAD_BYTES:
            data = data[:MAX_PAYLOAD_BYTES]  # who wrote, and when, is in front
        try:
            # A receipt that a power cut takes is not missed.
            self._spool.append(code, self._flags | flags, data, force=code != RECEIPT)
        except SpoolClosedError:
            return False
        self._wake()
        return True

    def qr(self, code: str) -> None:
        """Take a QR code."""
        self._tell(QrShown(code=code))

    def login(self, status: str) -> None:
        """Take the end of pairing."""
        self._tell(PairingDone(status=status))

    def log(self, data: bytes) -> None:
        """Take a log entry: most are nothing to anybody."""
        text = text_of(data)
        self._watch.log(text)
        self.refused = refusal(text) or self.refused
        self._remarks.log(text)
        if (payload := swallowed(text)) is not None:
            self._store(SWALLOWED, payload)
            self._tell(Notice(event="message_lost", detail=id_of(payload) or ""))
        elif match := _LEFT_OUT.match(text):
            identity = message_id(match[1].decode(errors="replace"))
            self._tell(Notice(event="recipient_device_left_out", detail=identity or ""))


def _undecryptable(identity: str) -> Notice:
    return Notice(event="message_undecryptable", detail=message_id(identity) or "")
