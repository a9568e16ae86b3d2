"""What is not told of what arrives: dropped before it is spooled, and counted."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway_worker.host_protocol.settings import BROADCAST, CHANNELS, CHATS, GROUPS, STATUS
from gateway_worker.whatsapp.convert.arrival import MESSAGE_RECEIPT, Arrival
from gateway_worker.whatsapp.convert.people import LID_SERVER, PHONE_SERVER

_FIRST_FIELD: Final = 0x0A
"""How a message begins whose first field is a message too."""
_CATEGORIES: Final = {"g.us": GROUPS, "newsletter": CHANNELS}
_STATUS_USER: Final = "status"
_PERSONAL: Final = frozenset({PHONE_SERVER, LID_SERVER})


class IgnoredArrivals:
    """Says what is ignored, on whatever thread it arrives, and counts it.

    Args:
        info_class: The library's `MessageInfo`, which only a host has.
        source_class: Its `MessageSource`.
        wake: Called when there is something to be told of it, on any thread.
    """

    def __init__(
        self, *, info_class: Any, source_class: Any, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._info_class = info_class
        self._source_class = source_class
        self._wake = wake
        self._names: frozenset[str] = frozenset()
        self._chats: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def set(self, names: tuple[str, ...], chats: tuple[str, ...]) -> None:
        """Ignore something else from now on.

        Args:
            names: The contract's names of conversations; of those that this release does not know,
                nothing is ignored.
            chats: JIDs of conversations.
        """
        self._names, self._chats = frozenset(names), frozenset(chats)

    def takes(self, payload: bytes) -> bool:
        """Whether a message is ignored, which is counted then.

        Args:
            payload: The library's bytes of a message, or of one that could not be decrypted. What
                cannot be read is not ignored.
        """
        if not (self._names or self._chats):
            return False
        source = self._source_of(payload)
        reason = None if source is None else self._reason(source)
        if reason is None:
            return False
        self._count(reason)
        return True

    def takes_told(self, arrival: Arrival) -> bool:
        """Whether what is about to be told is ignored, likewise.

        It is looked at once more, for it may have been spooled before it was to be ignored, and
        only now it is known under which other id a person may have been named.
        """
        if arrival.type == MESSAGE_RECEIPT or not (self._names or self._chats):
            return False
        named = (arrival.data.get("chat"), arrival.data.get("chat_lid"))
        reason = None if named[0] is None else self._category(*_parts(named[0]))
        if reason is None and not self._chats.isdisjoint(named):
            reason = CHATS
        if reason is None:
            return False
        self._count(reason)
        return True

    def taken(self) -> Mapping[str, int]:
        """Return what was ignored since the last call, by reason."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    @property
    def has_news(self) -> bool:
        """Whether anything was ignored since then."""
        return bool(self._counts)

    def _source_of(self, payload: bytes) -> Any:
        """Return who wrote a message and where; None if that cannot be read.

        Only the beginning is parsed, where the library writes it: this is done for each message,
        and it may be large.
        """
        try:
            info = _first_field(payload, 0)
            if info is None:
                return None
            if (found := _first_field(payload, info[0])) is None:
                return self._info_class.FromString(payload[slice(*info)]).MessageSource
            return self._source_class.FromString(payload[slice(*found)])
        except Exception:  # noqa: BLE001 - a stranger's bytes: told as what they are
            return None

    def _reason(self, source: Any) -> str | None:
        chat = source.Chat
        category = self._category(chat.User, chat.Server)
        if category is not None or not self._chats:
            return category
        named = [chat]
        if chat.Server in _PERSONAL:
            named.append(source.RecipientAlt if source.IsFromMe else source.SenderAlt)
        ids = {f"{one.User}@{one.Server}" for one in named}
        return None if self._chats.isdisjoint(ids) else CHATS

    def _category(self, user: str, server: str) -> str | None:
        if server == "broadcast":
            name = STATUS if user == _STATUS_USER else BROADCAST
        else:
            name = _CATEGORIES.get(server, "")
        return name if name in self._names else None

    def _count(self, reason: str) -> None:
        with self._lock:
            is_first = not self._counts
            self._counts[reason] += 1
        if is_first:
            self._wake()


def _parts(jid: str) -> tuple[str, str]:
    user, _, server = jid.partition("@")
    return user, server


def _first_field(payload: bytes, start: int) -> tuple[int, int] | None:
    """Return where the first field begins and ends if it is field 1 and a message."""
    if payload[start] != _FIRST_FIELD:
        return None
    size = shift = 0
    at = start + 1
    while True:
        byte = payload[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            return at, at + size
        shift += 7
