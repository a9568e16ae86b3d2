"""Which receipts are news: those for messages of ours, and of several devices' only the first.

Each device of a recipient confirms a message, and so do our own; per message that is one receipt
worth keeping and two or more that say the same or nothing. Of our own devices' it is news what the
owner has read there. Leaving them out before the spool saves
the disk, the socket and the worker the rest of the way. One that names very many messages becomes
several, so that no record is larger than what comes after it takes.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError
from neonize.proto.Neonize_pb2 import Receipt

from gateway_worker.whatsapp.convert.receipt import READ_ELSEWHERE, RETRY, STATUSES

REMEMBERED: Final = 1_000
MOST_IDS: Final = 500

Key = tuple[Any, ...]


class ReceiptFilter:
    """Tells news from repetition. Called by the library's event thread only.

    Attributes:
        retries: How often devices of others have asked for a message again.
    """

    def __init__(self) -> None:
        self.retries = 0
        self._kept: OrderedDict[Key, None] = OrderedDict()

    def news(self, data: bytes) -> Iterator[tuple[bytes, Key | None]]:
        """Yield what of a receipt is worth keeping, and what it says; None if that is not known."""
        try:
            event = Receipt.FromString(data)
        except DecodeError:  # whoever reads the spool keeps it aside
            yield data, None
            return
        source = event.MessageSource
        if event.Type == RETRY and not source.IsFromMe:
            self.retries += 1
        status = _says(event)
        if status is None or not event.MessageIDs:
            return
        for part in _parts(event):
            key = (status, source.Chat.User, source.Chat.Server, *_sender(source), _digest(part))
            if key not in self._kept:
                yield data if part is event else part.SerializePartialToString(), key

    def keep(self, key: Key) -> None:
        """Remember a receipt that is in the spool now."""
        self._kept[key] = None
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)


def _says(event: Receipt) -> str | None:
    """Return what a receipt says; None if it serves the protocol only."""
    if event.MessageSource.IsFromMe:
        return "read elsewhere" if event.Type in READ_ELSEWHERE else None
    return STATUSES.get(event.Type)


def _parts(event: Receipt) -> Iterator[Receipt]:
    if len(event.MessageIDs) <= MOST_IDS:
        yield event
        return
    named = list(event.MessageIDs)
    for first in range(0, len(named), MOST_IDS):
        part = Receipt()
        part.CopyFrom(event)
        del part.MessageIDs[:]
        part.MessageIDs.extend(named[first : first + MOST_IDS])
        yield part


def _sender(source: Any) -> tuple[Any, ...]:
    return (source.Sender.User, source.Sender.Server)


def _digest(event: Receipt) -> Any:
    """Return what stands for the messages' names: they themselves if they are few."""
    named = tuple(event.MessageIDs)
    few = 4
    return named if len(named) <= few else hashlib.sha256(repr(named).encode()).digest()
