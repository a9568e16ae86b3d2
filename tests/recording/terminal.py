"""A terminal in which commands run, and what they have shown there."""

import asyncio
import codecs
import fcntl
import json
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

COLUMNS = 100
ROWS = 50
PROMPT = "$ "
_CHUNK_BYTES = 65_536
_VERSION = 2
_IDS = re.compile(r"\b(?:3EB0[0-9A-F]+|[0-9a-f]{8}-[0-9a-f-]{27})\b")
_NUMBERS = re.compile(r"\d[\d:.+TZ-]*")
_DRAWN = re.compile(r"^[\u2580\u2584\u2588 ]{20,}$")


@dataclass(slots=True, kw_only=True)
class Recording:
    """What was shown, and when.

    Attributes:
        pieces: Texts, each with the seconds since the beginning.
        changed: Set with each piece.
    """

    pieces: list[tuple[float, str]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.monotonic)

    @property
    def lines(self) -> list[str]:
        """What was shown, line by line."""
        return "".join(text for _, text in self.pieces).replace("\r", "").split("\n")

    def show(self, text: str) -> None:
        """Take note of what is shown now."""
        self.pieces.append((round(time.monotonic() - self.began, 3), text))
        self.changed.set()

    async def until(self, text: str, *, seconds: float) -> list[str]:
        """Wait until something is shown; return all lines.

        Raises:
            TimeoutError: It was not.
        """
        async with asyncio.timeout(seconds):
            while not any(text in line for line in self.lines):
                self.changed.clear()
                await self.changed.wait()
        return self.lines

    def to_cast(self) -> str:
        """Return it as asciinema's files have it."""
        header = {"version": _VERSION, "width": COLUMNS, "height": ROWS}
        events = [[at, "o", text] for at, text in self.pieces]
        return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in (header, *events))

    @classmethod
    def from_cast(cls, text: str) -> "Recording":
        """Read one."""
        _, *events = (json.loads(line) for line in text.splitlines())
        return cls(pieces=[(at, shown) for at, _, shown in events])


def shape(lines: Sequence[str]) -> list[str]:
    """Return lines without what differs from one time to the next; what is repeated counts once."""
    return list(dict.fromkeys(map(_shape, lines)))


def _shape(line: str) -> str:
    return "(drawn)" if _DRAWN.match(line) else _NUMBERS.sub("0", _IDS.sub("ID", line.rstrip()))


async def run(
    words: Sequence[str], line: str, *, environment: Mapping[str, str], recording: Recording
) -> int:
    """Run a program in a terminal, shown as if a line had been typed; returns its exit code."""
    recording.show(f"{PROMPT}{line}\r\n")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *words, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment)
    )
    os.close(theirs)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    decoder = codecs.getincrementaldecoder("utf-8")()

    def read() -> None:
        try:
            data = os.read(ours, _CHUNK_BYTES)
        except OSError:  # nobody has the other side any more
            data = b""
        if data:
            recording.show(decoder.decode(data))
        else:
            loop.remove_reader(ours)
            ended.set()

    loop.add_reader(ours, read)
    try:
        await ended.wait()
        return await process.wait()
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
