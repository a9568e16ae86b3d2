"""What the library told at once of the history, on disk: found in it without reading all of it.

A blob may have hundreds of megabytes, and a parsed one takes three times as much memory. So only
the outline is read, over the file mapped into memory: where its conversations are, where the
messages of one of them are, and the few values beside them.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10
_CONTINUES: Final = 0x80

# Fields of the library's `HistorySync` event, of `HistorySync` in it, of `Conversation`.
_DATA: Final = 1
_SYNC_TYPE, _CONVERSATIONS, _PROGRESS = 1, 2, 6
_ID, _MESSAGES, _UNREAD, _END_TYPE, _NAME, _DISPLAY_NAME, _PHONE, _LID = 1, 2, 6, 11, 13, 38, 39, 42
_MESSAGE: Final = 1
_NOTHING_OLDER: Final = 1
"""The `EndOfHistoryTransferType` that says so."""


class Place(NamedTuple):
    """Where something is in the file: from its first byte to behind its last."""

    start: int
    stop: int


class _Field(NamedTuple):
    number: int
    value: int
    place: Place | None


@dataclass(slots=True, kw_only=True)
class Conversation:
    """The outline of one conversation.

    Attributes:
        jid: Its id.
        phone: The other person's phone-number JID, if it is told.
        lid: The other person's LID, likewise.
        name: What the phone calls it.
        unread: How many of the newest messages of others are unread.
        is_whole: Whether the phone has nothing older.
        messages: Where they are, as the phone has them in order.
    """

    jid: str = ""
    phone: str = ""
    lid: str = ""
    name: str = ""
    unread: int = 0
    is_whole: bool = False
    messages: list[Place] = field(default_factory=list)


class HistoryFile:
    """One blob, open.

    Attributes:
        sync_type: The library's number of what it is.
        progress: How much of that the phone has sent, in percent; None if it is not told.
        conversations: Where they are.
    """

    def __init__(self, data: "mmap.mmap | bytes") -> None:
        self._data = data
        self.sync_type = 0
        self.progress: int | None = None
        self.conversations: list[Place] = []
        for one in self._fields(Place(0, len(data))):
            if one.number == _DATA and one.place is not None:
                self._outline(one.place)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no such file.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)  # raises for an empty one
        finally:
            os.close(descriptor)
        return cls(data)

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    def conversation(self, place: Place) -> Conversation:
        """Read the outline of a conversation. Raises ValueError."""
        found = Conversation()
        texts = {_ID: "jid", _PHONE: "phone", _LID: "lid", _NAME: "name"}
        for one in self._fields(place):
            if one.place is None:
                if one.number == _UNREAD:
                    found.unread = one.value
                elif one.number == _END_TYPE:
                    found.is_whole = one.value == _NOTHING_OLDER
            elif one.number == _MESSAGES:
                found.messages.append(one.place)
            elif one.number in texts:
                setattr(found, texts[one.number], self._text(one.place))
            elif one.number == _DISPLAY_NAME and not found.name:
                found.name = self._text(one.place)
        return found

    def message(self, place: Place) -> bytes:
        """Return the bytes of a message, a `WebMessageInfo`; none if there is none to be found."""
        with suppress(ValueError):
            for one in self._fields(place):
                if one.number == _MESSAGE and one.place is not None:
                    return bytes(self._data[one.place.start : one.place.stop])
        return b""

    def _outline(self, place: Place) -> None:
        for one in self._fields(place):
            if one.number == _SYNC_TYPE and one.place is None:
                self.sync_type = one.value
            elif one.number == _PROGRESS and one.place is None:
                self.progress = one.value
            elif one.number == _CONVERSATIONS and one.place is not None:
                self.conversations.append(one.place)

    def _text(self, place: Place) -> str:
        return bytes(self._data[place.start : place.stop]).decode(errors="replace")

    def _fields(self, within: Place) -> Iterator[_Field]:
        at, stop = within
        while at < stop:
            key, at = self._varint(at, stop)
            number, wire = key >> 3, key & 7
            if wire == _VARINT:
                value, at = self._varint(at, stop)
                yield _Field(number, value, None)
            elif wire == _BYTES:
                size, at = self._varint(at, stop)
                if at + size > stop:
                    raise ValueError("it ends too early")
                yield _Field(number, 0, Place(at, at + size))
                at += size
            elif wire in (_FIXED64, _FIXED32):
                at += 8 if wire == _FIXED64 else 4
            else:
                raise ValueError(f"no field has the type {wire}")

    def _varint(self, at: int, stop: int) -> tuple[int, int]:
        value = shift = 0
        for _ in range(_LONGEST_VARINT):
            if at >= stop:
                break
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < _CONTINUES:
                return value, at
            shift += 7
        raise ValueError("a number has no end")
