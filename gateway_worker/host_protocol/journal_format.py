"""The journal of sends: what a host writes around each, and the worker reads after the host's end.

A file of lines, each with its checksum. The first one says from when on the journal is complete,
the next ones who opened it and what became of each command. It is not forced to the disk: what was
written survives the end of the process. After a power cut lines may be missing, so the first line
names the boot of the machine, and only within it a missing line means that nothing happened. It
also repeats a word that the directory's lock file holds: a copy of the journal in another directory
tells what happened, never what did not.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import msgspec

from gateway_worker.host_protocol.failures import Failure
from gateway_worker.host_protocol.methods import Result
from gateway_worker.host_protocol.wire import Wire

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_CHECKSUM_DIGITS: Final = 8
MARK_BYTES: Final = 8
MARKS_KEPT: Final = 4_096
"""So many commands are known to have been in a journal after their lines are gone."""
_BEFORE_BODY: Final = _CHECKSUM_DIGITS + 1


class Header(Wire, frozen=True, kw_only=True, tag="journal", omit_defaults=True):
    """From when on a journal is complete.

    A moment alone does not say that: it is the database's clock that tells when a command began,
    and this machine's may be set.

    Attributes:
        worker_id: For whose sends.
        epoch: From this epoch on.
        since: From this moment on, in Unix seconds.
        boot: The machine's boot.
        word: What the lock file in the same directory says.
        forgotten: The marks of commands that were in it, the last ones at the end.
    """

    worker_id: str
    epoch: int
    since: float
    boot: str
    word: str
    forgotten: bytes = b""

    def has_forgotten(self, command_id: str) -> bool:
        """Whether a command was in the journal, as far back as that is known."""
        mark, size = mark_of(command_id), MARK_BYTES
        return any(
            self.forgotten[at : at + size] == mark for at in range(0, len(self.forgotten), size)
        )

    def forgetting(self, command_ids: Iterable[str]) -> "Header":
        """Return the header of a journal that these commands are taken out of."""
        marks = self.forgotten + b"".join(map(mark_of, command_ids))
        return msgspec.structs.replace(self, forgotten=marks[-MARK_BYTES * MARKS_KEPT :])


class Submission(Wire, frozen=True, kw_only=True, tag="handing"):
    """A command's call is about to be made to the library.

    Attributes:
        command_id: The command.
        secret: The message's, beside which the library keeps the id that it chooses; None in the
            journals of earlier releases.
    """

    command_id: str
    secret: bytes | None = None


class Acknowledgement(Wire, frozen=True, kw_only=True, tag="answered"):
    """It has had its effect, and this is the answer."""

    command_id: str
    result: Result


class Rejection(Wire, frozen=True, kw_only=True, tag="refused"):
    """It has had no effect; the fields are those of `Failure`."""

    command_id: str
    kind: str
    detail: str
    retry_after_seconds: float | None = None
    attempts: int | None = None

    @classmethod
    def of(cls, command_id: str, failure: Failure) -> Self:
        """Return the line of a command that failed."""
        return cls(command_id=command_id, **msgspec.structs.asdict(failure))

    @property
    def failure(self) -> Failure:
        """How it failed."""
        return Failure(
            kind=self.kind,
            detail=self.detail,
            retry_after_seconds=self.retry_after_seconds,
            attempts=self.attempts,
        )


class Opened(Wire, frozen=True, kw_only=True, tag="opened"):
    """A host begins; all before it are gone."""

    worker_id: str
    epoch: int
    pid: int


Entry = Submission | Acknowledgement | Rejection
Line = Header | Opened | Entry

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


@dataclass(slots=True, kw_only=True)
class Journal:
    """A journal as it was read.

    Attributes:
        header: Its first line.
        last: Of each command the last line, the command that was last handed over at the end.
        opened: The host that opened it last.
        damaged: A line is unreadable. A torn one at the end is none: whoever wrote it had not gone
            on.
    """

    header: Header
    last: dict[str, Entry] = field(default_factory=dict)
    opened: Opened | None = None
    damaged: bool = False


def mark_of(command_id: str) -> bytes:
    """Return what a command is known by once its line is gone."""
    return hashlib.blake2b(command_id.encode(), digest_size=MARK_BYTES).digest()


def line_of(line: Line) -> bytes:
    """Return a line's bytes."""
    body = _ENCODER.encode(line)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def parse(data: bytes) -> Journal | None:
    """Return what a journal's bytes say; None if its first line is unreadable."""
    lines = list(_lines(data))
    if not lines or not isinstance(lines[0], Header):
        return None
    journal = Journal(header=lines[0])
    for line in lines[1:]:
        match line:
            case Opened():
                journal.opened = line
            case Submission():
                journal.last.pop(line.command_id, None)
                journal.last[line.command_id] = line
            case Acknowledgement() | Rejection():
                journal.last[line.command_id] = line
            case _:
                journal.damaged = True
    return journal


def boot_id() -> str:
    """Return what names the machine's boot; "" if that is not known."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _lines(data: bytes) -> Iterator[Line | None]:
    for raw in data.split(b"\n")[:-1]:  # what follows the last line's end is torn
        yield _line(raw)


def _line(raw: bytes) -> Line | None:
    body = raw[_BEFORE_BODY:]
    try:
        if int(raw[:_CHECKSUM_DIGITS], 16) != zlib.crc32(body):
            return None
        return _DECODER.decode(body)
    except ValueError:  # msgspec's errors are some
        return None
