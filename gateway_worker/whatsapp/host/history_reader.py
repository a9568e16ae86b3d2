"""What was written before the account was linked: kept in files, and told page by page.

The library tells a part of the history as one event, of any size. Its callback writes it to a file
in the session's directory and returns. The loop reads the files, oldest first, one conversation at
a time, and tells pages: the next one when the worker has recorded the one before. A file goes when
its last page is recorded. How far it has come is noted beside it, so a host that comes after this
one goes on there; a page that is told twice has the same name.
"""

import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway_worker.host_protocol.envelope import FromHost, HistoryPage, Notice
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.layout import HISTORY_NAME, HISTORY_SUFFIX
from gateway_worker.host_protocol.settings import NO_HISTORY
from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.history import (
    ENDING_KINDS,
    HISTORY_MESSAGES,
    HistoryChat,
    history_chat,
    history_message,
    kind_of,
    unreadable_message,
)
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.history_file import Conversation, HistoryFile, Place
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from gateway_worker.whatsapp.host.kernel import force_to_disk

PAGE_MESSAGES: Final = 100
PAGE_BYTES: Final = 128 * 1024
"""As the phone has written them; pictures in them are not told, so an event is mostly smaller."""
MOST_BYTES: Final = 1 << 30
"""Of files of one session that wait; the phone does not send again what is refused then."""
_LOOKED_BACK: Final = 1_000
"""Among so many messages of a chat is looked for the newest one that has been read."""
_DONE: Final = 100
_AT_SUFFIX: Final = ".at"
_DRAFT_SUFFIX: Final = ".draft"
_AT: Final = struct.Struct("<QQI")
_ENCODER: Final = msgspec.json.Encoder()


class _At(NamedTuple):
    """How far a file is told: the conversation, and how many of its messages."""

    conversation: int = 0
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page that is told, and where the one behind it begins.

    Attributes:
        name: Its name.
        data: What is told; None if there is nothing in it for backends.
        after: Where the next one begins.
    """

    name: str
    data: dict[str, Any] | None
    after: _At


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conversation:
    """The conversation that is being told: its place in the file, and whether it is left out."""

    number: int
    outline: Conversation
    chat: HistoryChat
    is_ignored: bool


class _Open:
    """The file that is being told.

    Args:
        path: Where it is.
        message_class: The library's `WebMessageInfo`, which only a host has.
        people: Who is who.
        ignores: Says of a conversation that it is not for backends.

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
    ) -> None:
        force_to_disk(path)  # here, and not where the library waits
        self.path = path
        self._message_class = message_class
        self._people = people
        self._ignores = ignores
        self._file = HistoryFile.open(path)
        self._kind = kind_of(self._file.sync_type)
        self._at = _read_at(path)
        self._present: _Conversation | None = None

    def page(self) -> _Page | None:
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
        after = _At(number + 1) if is_last else _At(number, stop)
        data = self._heading(is_last=after.conversation >= len(places))
        is_told = bool(data["finished"])
        if not one.is_ignored:
            told = [message for each in taken if (message := self._told(each, one.chat))]
            is_whole = is_last and one.outline.is_whole and bool(taken)
            data |= {**one.chat.told, "messages": told, "exhausted": is_whole}
            is_told |= is_whole or bool(told)
            if first == 0 and (read := self._read_until(one.outline)) is not None:
                data["read_until"] = read
        name = self._name(number, first)
        return _Page(name=name, data=data if is_told else None, after=after)

    def turn(self, after: _At) -> None:
        """Note that all before a place has been recorded. Raises OSError."""
        self._at = after
        packed = after.conversation.to_bytes(8, "little") + after.message.to_bytes(8, "little")
        at = _at_path(self.path)
        draft = at.with_suffix(_DRAFT_SUFFIX)
        draft.write_bytes(_AT.pack(*after, zlib.crc32(packed)))
        draft.replace(at)  # not forced: a page that is told again is recognised

    def discard(self) -> None:
        """Remove the file: all of it has been recorded."""
        self.close()
        _remove(self.path)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _ending(self) -> _Page | None:
        """Return the page of a part in which there is no chat, if it says that its kind is over."""
        data = self._heading(is_last=True)
        is_told = bool(data["finished"])
        return _Page(name=self._name(0, 0), data=data, after=_At(0, 1)) if is_told else None

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
        try:
            info = self._message_class.FromString(data)
        except Exception:  # noqa: BLE001 - a stranger's bytes: there is no message to tell of
            return None
        try:
            return history_message(info, chat, self._people)
        except Exception:  # noqa: BLE001 - one message must not hold up the rest
            return unreadable_message(info, chat, self._people)

    def _read_until(self, conversation: Conversation) -> str | None:
        """Return when the newest message was written that has been read on the phone."""
        places = conversation.messages
        if not places:
            return None
        if self._seconds(places[0]) < self._seconds(places[-1]):
            places = places[::-1]
        unread = conversation.unread
        for place in places[:_LOOKED_BACK]:
            info = self._message_class.FromString(self._file.message(place))
            is_unread = unread > 0 and not info.key.fromMe
            unread -= is_unread
            if not is_unread and is_time(info.messageTimestamp):
                return rfc3339(info.messageTimestamp)
        return None

    def _seconds(self, place: Place) -> int:
        seconds: int = self._message_class.FromString(self._file.message(place)).messageTimestamp
        return seconds


class HistoryReader:
    """The history of one host.

    `store` is called by the library's threads, everything else by the loop.

    Args:
        directory: The session's.
        message_class: The library's `WebMessageInfo`, which only a host has.
        people: Who is who.
        ignoring: Says what is not for backends.
        send: Sends a frame to the worker. Raises `WireError` if it cannot be written.
        wake: Wakes the loop.
    """

    def __init__(
        self,
        *,
        directory: Path,
        message_class: Any,
        people: People,
        ignoring: IgnoredArrivals,
        send: Callable[[FromHost], None],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._directory = directory / HISTORY_NAME
        self._message_class = message_class
        self._people = people
        self._ignoring = ignoring
        self._send = send
        self._wake = wake
        self._depth = NO_HISTORY
        self._open: _Open | None = None
        self._flying: _Page | None = None
        self._notices: list[Notice] = []
        # Looked at in every turn of the loop; the directory is not.
        self._waits = self._directory.is_dir()
        for draft in self._directory.glob(f"*{_DRAFT_SUFFIX}"):
            with suppress(OSError):
                draft.unlink()  # of a host that was killed while it wrote

    def set(self, depth: str) -> None:
        """Tell it from now on, or drop it: what waits, and what comes."""
        self._depth = depth
        self._wake()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to tell."""
        return not self._waits

    def store(self, data: bytes) -> None:
        """Keep what the library tells, or say that it is lost. Never raises."""
        if self._depth == NO_HISTORY:
            return
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            waiting = sum(path.stat().st_size for path in self._directory.iterdir())
            if waiting + len(data) > MOST_BYTES:
                self._notices.append(Notice(event="history_dropped", detail=f"{len(data)} bytes"))
            else:
                name = f"{time.time_ns():020d}{secrets.token_hex(4)}"
                draft = self._directory / f"{name}{_DRAFT_SUFFIX}"
                draft.write_bytes(data)
                draft.replace(self._directory / f"{name}{HISTORY_SUFFIX}")
                self._waits = True
        except OSError as error:
            detail = f"{len(data)} bytes: {error.strerror}"
            self._notices.append(Notice(event="history_not_kept", detail=detail))
        self._wake()

    def send_waiting(self) -> None:
        """Tell the next page, if the worker has none.

        Raises:
            OSError: The worker is gone.
        """
        while self._notices:
            self._send(self._notices.pop())
        if self._flying is not None or not self._waits:
            return
        if self._depth == NO_HISTORY:
            self._drop_all()
            return
        opened = self._open or self._opened()
        if opened is None:
            return
        page = self._page_of(opened)
        if page is None:
            self._close_file()
        elif page.data is None:  # there is nothing in it: the next turn of the loop goes on
            self._turn(opened, page.after)
        else:
            self._flying = page
            self._tell(page)
            return
        self._wake()

    def send_next(self) -> None:
        """Tell the next page, past all in which there is nothing, for whoever has no loop.

        Raises:
            OSError: The worker is gone.
        """
        while self._flying is None and self._waits:
            self.send_waiting()

    def acknowledge(self, name: str) -> None:
        """Note that the worker has recorded a page; any other than the one it has is none."""
        page, opened = self._flying, self._open
        if page is None or opened is None or page.name != name:
            return
        self._flying = None
        self._turn(opened, page.after)

    def _opened(self) -> _Open | None:
        """Open the oldest file that can be read; one that is no history is dropped."""
        self._waits = False  # before the look: what is stored meanwhile sets it again
        for path in _files(self._directory):
            try:
                self._open = _Open(
                    path,
                    message_class=self._message_class,
                    people=self._people,
                    ignores=self._ignores,
                )
            except ValueError as error:
                self._spoiled(path, error)
                continue
            except OSError as error:  # it stays where it is, for another host
                detail = error.strerror or ""
                self._notices.append(Notice(event="history_not_read", detail=detail))
                continue
            self._waits = True
            return self._open
        return None

    def _page_of(self, opened: _Open) -> _Page | None:
        try:
            return opened.page()
        except Exception as error:  # noqa: BLE001 - a stranger's bytes must not end the host
            self._spoiled(opened.path, error)
            return None

    def _tell(self, page: _Page) -> None:
        try:
            self._send(_frame(page.name, page.data))
        except WireError as error:
            self._send(Notice(event="history_partial", detail=str(error)))
            self._send(_frame(page.name, {**(page.data or {}), "messages": []}))

    def _turn(self, opened: _Open, after: _At) -> None:
        try:
            opened.turn(after)
        except OSError as error:  # a later host tells some of it again
            self._send(Notice(event="history_not_noted", detail=error.strerror or ""))

    def _close_file(self) -> None:
        if self._open is not None:
            self._open.discard()
            self._open = None

    def _ignores(self, chat: HistoryChat) -> bool:
        # A status post lasts a day: what is left of those is no history.
        is_status = chat.chat.endswith("@broadcast")
        return is_status or self._ignoring.takes_told(
            Arrival(type=HISTORY_MESSAGES, data=chat.told)
        )

    def _spoiled(self, path: Path, error: Exception) -> None:
        self._notices.append(Notice(event="history_unreadable", detail=type(error).__name__))
        _remove(path)
        self._wake()

    def _drop_all(self) -> None:
        self._waits = False  # first: what is stored meanwhile sets it again
        self._close_file()
        for path in _files(self._directory):
            _remove(path)


def _files(directory: Path) -> list[Path]:
    """Return the files that are whole, the oldest first."""
    try:
        return sorted(directory.glob(f"*{HISTORY_SUFFIX}"))
    except OSError:
        return []


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
        _at_path(path).unlink(missing_ok=True)


def _at_path(path: Path) -> Path:
    return path.with_suffix(_AT_SUFFIX)


def _read_at(path: Path) -> _At:
    """Return how far a file has been told; its beginning if that cannot be read."""
    try:
        packed = _at_path(path).read_bytes()
        conversation, message, checksum = _AT.unpack(packed)
    except (OSError, struct.error):
        return _At()
    return _At(conversation, message) if checksum == zlib.crc32(packed[:16]) else _At()


def _frame(name: str, data: Any) -> HistoryPage:
    try:
        return HistoryPage(page=name, data=msgspec.Raw(_ENCODER.encode(data)))
    except ValueError as error:  # its text may be private
        raise WireError(f"a page cannot be written: {type(error).__name__}") from None
