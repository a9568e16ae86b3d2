"""What the spectator sees: a line per step, command and event, the QR code, the closing table."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import segno

from gateway_contracts import (
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    Event,
    MessageData,
    MessageReceipt,
    MessageReceived,
    MessageSent,
    SessionQr,
    SessionStatus,
    TextContent,
    WorkerHeartbeat,
)

_CODES = {"dim": "2", "bold": "1", "green": "32", "red": "31", "cyan": "36", "yellow": "33"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A row of the closing table."""

    step: str
    milliseconds: float


class Terminal:
    """Prints the show, with colours if the stream is a terminal."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._colours = stream.isatty()
        self._started = time.monotonic()

    def step(self, text: str) -> None:
        """Announce a step of the story."""
        self._line(self._paint("bold", f"● {text}"))

    def note(self, text: str) -> None:
        """Print an aside."""
        self._line(self._paint("dim", f"  {text}"))

    def command(self, command: CommandEnvelope, what: str) -> None:
        """Show a command on its way to the worker."""
        kind = command.type.removeprefix("wa.").removesuffix(".v1")
        self._line(f"  {self._paint('cyan', '→ ' + kind):<34} {what}")

    def event(self, event: Event) -> None:
        """Show an event of the worker; heartbeats are left out."""
        if isinstance(event, WorkerHeartbeat):
            return
        kind = event.type.removeprefix("wa.").removesuffix(".v1")
        colour = "red" if isinstance(event, CommandFailed) else "green"
        self._line(f"  {self._paint(colour, '← ' + kind):<34} {_describe(event)}")

    def qr(self, code: str) -> None:
        """Draw a QR code."""
        self._stream.write("\n")
        drawing = segno.make(code, error="l", boost_error=False)
        drawing.terminal(out=self._stream, border=2, compact=True)
        self._stream.write("\n")
        self._stream.flush()

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Print a table of two columns."""
        width = max(len(left) for left, _ in rows)
        rule = "─" * (width + 16)
        self._stream.write(f"\n{self._paint('bold', title)}\n{rule}\n")
        for left, right in rows:
            self._stream.write(f"{left:<{width}}  {right:>13}\n")
        self._stream.write(f"{rule}\n")
        self._stream.flush()

    def failure(self, text: str) -> None:
        """Say what went wrong."""
        self._line(self._paint("red", f"✗ {text}"))

    def success(self, text: str) -> None:
        """Say that all is well."""
        self._line(self._paint("green", f"✓ {text}"))

    def _line(self, text: str) -> None:
        self._stream.write(f"{time.monotonic() - self._started:7.2f}s {text}\n")
        self._stream.flush()

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._colours else text


def _describe(event: Event) -> str:
    match event:
        case SessionStatus(data=data):
            text = f"{data.previous or '·'} ⇒ {data.state} ({data.reason})"
        case SessionQr(data=data):
            text = f"code {data.attempt}, scan it before {data.expires_at:%H:%M:%S}"
        case MessageReceipt(data=data):
            text = f"{data.status} · message {data.message_id[:8]}…"
        case MessageReceived(data=data) | MessageSent(data=data):
            text = _message(data)
        case CommandSucceeded(data=data):
            text = data.command_type.removeprefix("wa.").removesuffix(".v1")
        case CommandFailed(data=data):
            text = f"{data.error.code}: {data.error.detail}"
        case _:
            text = event.subject
    return text


def _message(data: MessageData) -> str:
    text = data.content.text if isinstance(data.content, TextContent) else data.content.kind
    quoted = " (a reply)" if data.reply_to else ""
    return f"{data.sender.push_name or data.sender.jid}: “{text}”{quoted}"
