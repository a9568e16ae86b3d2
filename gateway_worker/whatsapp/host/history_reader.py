"""What was written before the account was linked: kept in files, and told page by page.

The library tells a part of the history as one event, of any size. Its callback writes it to a file
in the session's directory and returns. The loop reads the files, oldest first, one conversation at
a time, and tells pages: the next one when the worker has recorded the one before. A file goes when
its last page is recorded. How far it has come is noted beside it, so a host that comes after this
one goes on there; a page that is told twice has the same name.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway_worker.host_protocol.envelope import FromHost, HistoryPage, Notice
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.layout import HISTORY_NAME, HISTORY_SUFFIX
from gateway_worker.host_protocol.settings import NO_HISTORY
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.history import HISTORY_MESSAGES, HistoryChat, OpenPast
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.history_part import DRAFT_SUFFIX, At, HistoryPart, Page, remove
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals

MOST_BYTES: Final = 1 << 30
"""Of files of one session that wait; the phone does not send again what is refused then."""
_ENCODER: Final = msgspec.json.Encoder()


class HistoryReader:
    """The history of one host.

    `store` is called by the library's threads, everything else by the loop.

    Args:
        directory: The session's.
        message_class: The library's `WebMessageInfo`, which only a host has.
        people: Who is who.
        ignoring: Says what is not for backends.
        send: Sends a frame to the worker. Raises `WireError` if it cannot be written.
        open_past: Opens what is encrypted once more.
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
        open_past: OpenPast = lambda _info, _chat: None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._directory = directory / HISTORY_NAME
        self._message_class = message_class
        self._people = people
        self._ignoring = ignoring
        self._send = send
        self._open_past = open_past
        self._wake = wake
        self._depth = NO_HISTORY
        self._open: HistoryPart | None = None
        self._flying: Page | None = None
        self._notices: list[Notice] = []
        # Looked at in every turn of the loop; the directory is not.
        self._waits = self._directory.is_dir()
        for draft in self._directory.glob(f"*{DRAFT_SUFFIX}"):
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
            if _bytes_in(self._directory) + len(data) > MOST_BYTES:
                self._notices.append(Notice(event="history_dropped", detail=f"{len(data)} bytes"))
            else:
                name = f"{time.time_ns():020d}{secrets.token_hex(4)}"
                draft = self._directory / f"{name}{DRAFT_SUFFIX}"
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

    def _opened(self) -> HistoryPart | None:
        """Open the oldest file that can be read; one that is no history is dropped."""
        self._waits = False  # before the look: what is stored meanwhile sets it again
        for path in _files(self._directory):
            try:
                self._open = HistoryPart(
                    path,
                    message_class=self._message_class,
                    people=self._people,
                    ignores=self._ignores,
                    open_past=self._open_past,
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

    def _page_of(self, opened: HistoryPart) -> Page | None:
        try:
            return opened.page()
        except Exception as error:  # noqa: BLE001 - a stranger's bytes must not end the host
            self._spoiled(opened.path, error)
            return None

    def _tell(self, page: Page) -> None:
        try:
            self._send(_frame(page.name, page.data))
        except WireError as error:
            self._send(Notice(event="history_partial", detail=str(error)))
            self._send(_frame(page.name, {**(page.data or {}), "messages": []}))

    def _turn(self, opened: HistoryPart, after: At) -> None:
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
        remove(path)
        self._wake()

    def _drop_all(self) -> None:
        self._waits = False  # first: what is stored meanwhile sets it again
        self._close_file()
        for path in _files(self._directory):
            remove(path)


def _bytes_in(directory: Path) -> int:
    """Return how much there is; the loop takes files away meanwhile. Raises OSError."""
    size = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _files(directory: Path) -> list[Path]:
    """Return the files that are whole, the oldest first."""
    try:
        return sorted(directory.glob(f"*{HISTORY_SUFFIX}"))
    except OSError:
        return []


def _frame(name: str, data: Any) -> HistoryPage:
    try:
        return HistoryPage(page=name, data=msgspec.Raw(_ENCODER.encode(data)))
    except ValueError as error:  # its text may be private
        raise WireError(f"a page cannot be written: {type(error).__name__}") from None
