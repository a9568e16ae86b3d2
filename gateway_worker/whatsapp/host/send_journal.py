"""Writes the journal of sends; see `host_protocol.journal_format` for what it is."""

import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from gateway_worker.host_protocol.failures import FailureKind
from gateway_worker.host_protocol.journal_format import (
    Acknowledgement,
    Header,
    Journal,
    Line,
    Opened,
    Rejection,
    Submission,
    boot_id,
    line_of,
    parse,
)
from gateway_worker.host_protocol.layout import JOURNAL_DRAFT_NAME, JOURNAL_NAME, LOCK_NAME

LIMIT_BYTES: Final = 256 * 1024
KEPT: Final = 600
"""Commands that stay when it has grown to its limit, which is some 1,200."""
_MODE: Final = 0o600
_LONGEST_WORD: Final = 64


class SendJournal:
    """The journal of one directory, whose lock this process holds.

    Args:
        directory: The session's directory.
        worker_id: Whose host this is.
        epoch: Under which epoch.
    """

    def __init__(self, *, directory: Path, worker_id: str, epoch: int) -> None:
        self._directory = directory
        self._worker_id = worker_id
        self._epoch = epoch
        self._file = -1
        self._size = 0
        self._writing = threading.Lock()

    @classmethod
    def open(cls, *, directory: Path, worker_id: str, epoch: int) -> Self:
        """Open a directory's journal, or begin one.

        Raises:
            OSError: The file cannot be used.
        """
        journal = cls(directory=directory, worker_id=worker_id, epoch=epoch)
        journal._begin()
        return journal

    def submitted(self, command_id: str, *, secret: bytes | None = None) -> None:
        """Note that what must not be done twice goes to the library now.

        Args:
            command_id: The command that it is for.
            secret: A message's, by which its id is found if nobody answers.

        Raises:
            OSError: That could not be noted, so it must not go there.
        """
        with self._writing:
            if self._size > LIMIT_BYTES:
                self._shorten()
            self._write(Submission(command_id=command_id, secret=secret))

    def acknowledged(self, answer: Acknowledgement) -> None:
        """Note that the server took it. Never raises: without the note it is uncertain."""
        with suppress(OSError), self._writing:
            self._write(answer)

    def rejected(self, refusal: Rejection) -> None:
        """Note that it was not sent; what is uncertain stays as it is. Never raises."""
        if refusal.kind != FailureKind.UNCERTAIN:
            with suppress(OSError), self._writing:
                self._write(refusal)

    # Inside.

    def _begin(self) -> None:
        path = self._directory / JOURNAL_NAME
        data = path.read_bytes() if path.exists() else b""
        old = parse(data)
        word = self._word()
        if old is None or self._reason_for_new(old, word):
            self._rewrite(self._new_header(old, word, is_first=not data), old)
        else:
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            self._size = data.rfind(b"\n") + 1
            os.ftruncate(self._file, self._size)  # a torn line
        self._write(Opened(worker_id=self._worker_id, epoch=self._epoch, pid=os.getpid()))

    def _reason_for_new(self, old: Journal, word: str) -> bool:
        header = old.header
        return (
            old.damaged
            or header.worker_id != self._worker_id
            or header.word != word
            or header.boot != boot_id()
        )

    def _new_header(self, old: Journal | None, word: str, *, is_first: bool) -> Header:
        epoch = self._epoch
        # Something of this very epoch may be missing, so it is complete from the next one on.
        if not is_first and (old is None or old.opened is None or old.opened.epoch >= epoch):
            epoch += 1
        return Header(
            worker_id=self._worker_id, epoch=epoch, since=time.time(), boot=boot_id(), word=word
        )

    def _word(self) -> str:
        path = self._directory / LOCK_NAME
        word = path.read_bytes()[:_LONGEST_WORD].decode("ascii", "replace")
        if not word:
            word = secrets.token_hex(16)
            path.write_text(word, "ascii")
        return word

    def _shorten(self) -> None:
        journal = parse(os.pread(self._file, self._size, 0))
        if journal is None:
            raise OSError("the journal of sends is damaged")
        header = journal.header
        self._rewrite(
            Header(
                worker_id=header.worker_id,
                epoch=header.epoch,
                since=time.time(),  # who began before and is not in it is forgotten
                boot=header.boot,
                word=header.word,
            ),
            journal,
        )

    def _rewrite(self, header: Header, old: Journal | None) -> None:
        kept: list[Line] = [header]
        if old is not None:
            lines = list(old.last.values())
            forgotten = [line.command_id for line in lines[:-KEPT]]
            before = msgspec.structs.replace(header, forgotten=old.header.forgotten)
            kept = [before.forgetting(forgotten)]
            kept += [old.opened] if old.opened is not None else []
            kept += lines[-KEPT:]
        data = b"".join(line_of(line) for line in kept)
        draft = self._directory / JOURNAL_DRAFT_NAME
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        try:
            _put(file, data, 0)
            draft.rename(self._directory / JOURNAL_NAME)
        except OSError:
            os.close(file)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = file, len(data)

    def _write(self, line: Line) -> None:
        data = line_of(line)
        try:
            _put(self._file, data, self._size)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)


def _put(file: int, data: bytes, offset: int) -> None:
    if os.pwrite(file, data, offset) < len(data):
        raise OSError("the disk took a part of it")
