"""Which receipts are news: those for messages of ours, and of several devices' only the first.

Each device of a recipient confirms a message, and so do our own; per message that is one receipt
worth keeping and two or more that say the same or nothing. Leaving them out before the spool saves
the disk, the socket and the worker the rest of the way.
"""

from collections import OrderedDict
from typing import Any, Final

from neonize.proto.Neonize_pb2 import Receipt

from gateway_worker.whatsapp.convert.receipt import STATUSES

REMEMBERED: Final = 1_000

Key = tuple[Any, ...]


class ReceiptFilter:
    """Tells news from repetition. Called by the library's event thread only."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, None] = OrderedDict()

    def key(self, data: bytes) -> Key | None:
        """Return what a receipt says, or None if it is not worth keeping."""
        event = Receipt.FromString(data)
        status, source = STATUSES.get(event.Type), event.MessageSource
        if status is None or source.IsFromMe or not event.MessageIDs:
            return None
        sender = source.Sender
        key = (status, source.Chat.User, sender.User, sender.Server, *event.MessageIDs)
        return None if key in self._kept else key

    def keep(self, key: Key) -> None:
        """Remember a receipt that is in the spool now."""
        self._kept[key] = None
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
