"""One part of a history, as the library told it: a file that is told page by page.

How far it has come is noted beside it.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway_worker.host_protocol.layout import HISTORY_SUFFIX
from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.history import (
    ENDING_KINDS,
    HistoryChat,
    OpenPast,
    history_chat,
    history_message,
    kind_of,
    unreadable_message,
)
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.history_file import Conversation, HistoryFile, Place
from gateway_worker.whatsapp.host.kernel import force_to_disk

PAGE_MESSAGES: Final = 100
PAGE_BYTES: Final = 128 * 1024
"""As the phone has written them; pictures in them are not told, so an event is mostly smaller."""
DRAFT_SUFFIX: Final = ".draft"
"""Of a file in there that is being written."""
_AT_SUFFIX: Final = ".at"
_AT: Final = struct.Struct("<QQI")
_LOOKED_BACK: Final = 1_000
"""Among so many messages of a chat is looked for the newest one that has been read."""
_DONE: Final = 100


class At(NamedTuple):
    """How far a file is told: the conversation, and how many of its messages."""

    conversation: int = 0
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that is told, and where the one behind it begins.

    Attributes:
        name: Its name.
        data: What is told; None if there is nothing in it for backends.
        after: Where the next one begins.
    """

    name: str
    data: dict[str, Any] | None
    after: At


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conversation:
    """The conversation that is being told: its place in the file, and whether it is left out."""

    number: int
    outline: Conversation
    chat: HistoryChat
    is_ignored: bool


class HistoryPart:
    """The file that is being told.

    Args:
        path: Where it is.
        message_class: The library's `WebMessageInfo`, which only a host has.
        people: Who is who.
        ignores: Says of a conversation that it is not for backends.
        open_past: Opens what is encrypted once more.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no history.
    """

    def __init__(
        self,
        path: Path,
        *,
        message_class: Any,
        people: People,
        ignores: Callable[[HistoryChat], bool],
        open_past: OpenPast,
    ) -> None:
        force_to_disk(path)  # here, and not where the library waits
        self.path = path
        self._message_class = message_class
        self._people = people
        self._ignores = ignores
        self._open_past = open_past
        self._file = HistoryFile.open(path)
        self._kind = kind_of(self._file.sync_type)
        self._at = _read_at(path)
        self._present: _Conversation | None = None

    def page(self) -> Page | None:
        """Read the next page; None at the end. Raises ValueError."""
        number, first = self._at
        places = self._file.conversations
        if number >= len(places):
            return None if places or first else self._ending()
        one = self._conversation(number, places[number])
        count = len(one.outline.messages)
        taken = [] if one.is_ignored else list(self._taken(one.outline, first))
        stop = count if one.is_ignored else first + len(taken)
        is_last = stop >= count
        after = At(number + 1) if is_last else At(number, stop)
        data = self._heading(is_last=after.conversation >= len(places))
        is_told = bool(data["finished"])
        if not one.is_ignored:
            told = [message for each in taken if (message := self._told(each, one.chat))]
            is_whole = is_last and one.outline.is_whole and bool(taken)
            data |= {**one.chat.told, "messages": told, "exhausted": is_whole}
            is_told |= is_whole or bool(told)
            if first == 0 and (read := self._read_until(one.outline)) is not None:
                data |= {"read_until": read}
        name = self._name(number, first)
        return Page(name=name, data=data if is_told else None, after=after)

    def turn(self, after: At) -> None:
        """Note that all before a place has been recorded. Raises OSError."""
        self._at = after
        packed = after.conversation.to_bytes(8, "little") + after.message.to_bytes(8, "little")
        at = _at_path(self.path)
        draft = at.with_suffix(DRAFT_SUFFIX)
        draft.write_bytes(_AT.pack(*after, zlib.crc32(packed)))
        draft.replace(at)  # not forced: a page that is told again is recognised

    def discard(self) -> None:
        """Remove the file: all of it has been recorded."""
        self.close()
        remove(self.path)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _ending(self) -> Page | None:
        """Return the page of a part in which there is no chat, if it says that its kind is over."""
        data = self._heading(is_last=True)
        is_told = bool(data["finished"])
        return Page(name=self._name(0, 0), data=data, after=At(0, 1)) if is_told else None

    def _heading(self, *, is_last: bool) -> dict[str, Any]:
        progress = self._file.progress
        is_over = progress is not None and progress >= _DONE and self._kind in ENDING_KINDS
        told: dict[str, Any] = {"kind": self._kind, "finished": is_last and is_over}
        if progress is not None:
            told["progress"] = min(progress, _DONE)
        return told

    def _name(self, conversation: int, message: int) -> str:
        return f"{self.path.name.removesuffix(HISTORY_SUFFIX)}-{conversation}-{message}"

    def _conversation(self, number: int, place: Place) -> _Conversation:
        if self._present is None or self._present.number != number:
            found = self._file.conversation(place)
            chat = history_chat(
                found.jid,
                phone=found.phone,
                lid=found.lid,
                name=found.name,
                people=self._people,
            )
            self._present = _Conversation(
                number=number, outline=found, chat=chat, is_ignored=self._ignores(chat)
            )
        return self._present

    def _taken(self, conversation: Conversation, first: int) -> Iterator[bytes]:
        """Yield the messages of a page, as the phone has written them: one at least."""
        size = 0
        for place in conversation.messages[first : first + PAGE_MESSAGES]:
            data = self._file.message(place)
            if size and size + len(data) > PAGE_BYTES:
                return
            size += len(data)
            yield data

    def _told(self, data: bytes, chat: HistoryChat) -> dict[str, Any] | None:
        info = self._parsed(data)
        if info is None:
            return None
        try:
            return history_message(info, chat, self._people, open_past=self._open_past)
        except Exception:  # noqa: BLE001 - one message must not hold up the rest
            return unreadable_message(info, chat, self._people)

    def _read_until(self, conversation: Conversation) -> str | None:
        """Return when the newest message was written that has been read on the phone."""
        places = conversation.messages
        if not places:
            return None
        if 0 < self._seconds(places[0]) < self._seconds(places[-1]):
            places = places[::-1]
        unread = conversation.unread
        for place in places[:_LOOKED_BACK]:
            info = self._parsed(self._file.message(place))
            if info is None:
                continue
            is_unread = unread > 0 and not info.key.fromMe
            unread -= is_unread
            if not is_unread and is_time(info.messageTimestamp):
                return rfc3339(info.messageTimestamp)
        return None

    def _seconds(self, place: Place) -> int:
        """Return when a message was written; 0 if that is not to be read."""
        info = self._parsed(self._file.message(place))
        return 0 if info is None else int(info.messageTimestamp)

    def _parsed(self, data: bytes) -> Any:
        """Return a message; None if there is none in it: the others are told all the same."""
        try:
            return self._message_class.FromString(data) if data else None
        except Exception:  # noqa: BLE001 - a stranger's bytes
            return None


def remove(path: Path) -> None:
    """Remove a part, and the note beside it; what cannot be removed stays."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        _at_path(path).unlink(missing_ok=True)


def _at_path(path: Path) -> Path:
    return path.with_suffix(_AT_SUFFIX)


def _read_at(path: Path) -> At:
    """Return how far a file has been told; its beginning if that cannot be read."""
    try:
        packed = _at_path(path).read_bytes()
        conversation, message, checksum = _AT.unpack(packed)
    except (OSError, struct.error):
        return At()
    return At(conversation, message) if checksum == zlib.crc32(packed[:16]) else At()
