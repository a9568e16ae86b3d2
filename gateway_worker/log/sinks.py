"""Where lines go: standard output, and a file if one is set, each with a thread of its own."""

import contextlib
import errno
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import structlog

from gateway_worker.log.lines import head, to_json
from gateway_worker.log.rotating import RotatingFile
from gateway_worker.log.settings import LogFormat, LogSettings
from gateway_worker.log.writer import Descriptor, LineWriter, Sink

STDOUT: Final = "stdout"
FILE: Final = "file"
SINKS: Final = (STDOUT, FILE)
OPEN_SECONDS: Final = 5.0
"""How long opening the log file may take: a pipe without a reader would take for ever."""
CLOSE_SECONDS: Final = 1.0
"""How long the last lines may take at the end."""


class Sinks:
    """Where lines go.

    Args:
        settings: Format and file.
        stream: Written to instead of stdout.
        fields: Added to the lines that tell what is missing.

    Raises:
        OSError: The log file cannot be opened.
    """

    def __init__(
        self, settings: LogSettings, *, stream: TextIO | None, fields: Mapping[str, str]
    ) -> None:
        self._stream = stream
        self._fields = fields
        # None: the process was started with a closed stdout.
        self._watched: TextIO | None = stream or sys.stdout
        self._console = _console_renderer(settings, self._watched) if self._watched else None
        self._writers: dict[str, LineWriter] = {}
        if (descriptor := _descriptor_of(self._watched)) is not None:
            self._add(STDOUT, Descriptor(descriptor), self._render)
        if settings.file is not None:
            file = RotatingFile(
                settings.file, max_bytes=settings.file_max_bytes, backups=settings.file_backups
            )
            _open_within(file, OPEN_SECONDS)
            self._add(FILE, file, to_json)

    def write(self, fields: dict[str, Any]) -> None:
        """Have one event, already redacted, written everywhere. Never blocks, never raises."""
        self._print(self._render(fields))
        if (file := self._writers.get(FILE)) is not None:
            file.submit(to_json(fields))

    def dropped(self, sink: str) -> int:
        """Return how many lines `stdout` or `file` have not taken."""
        writer = self._writers.get(sink)
        return writer.dropped if writer is not None else 0

    def flush(self, seconds: float) -> None:
        """Wait until everything is written, for so long at most."""
        end = time.monotonic() + seconds
        for writer in self._writers.values():
            writer.flush(end - time.monotonic())

    def close(self) -> None:
        """Write what is left, in bounded time, and take no more."""
        for writer in self._writers.values():
            writer.close(CLOSE_SECONDS)

    def _add(self, name: str, sink: Sink, render: Callable[[dict[str, Any]], str]) -> None:
        def notice(lines: int) -> str:
            begin = head("warning", "gateway_worker.log")
            event = {"event": "log.lines_dropped", "sink": name, "lines": lines}
            return render({**begin, **event, **self._fields})

        self._writers[name] = LineWriter(name=name, sink=sink, notice=notice)

    def _render(self, fields: dict[str, Any]) -> str:
        if self._console is None:
            return to_json(fields)
        return str(self._console(None, "", dict(fields)))

    def _print(self, line: str) -> None:
        # Looked up for each line: whoever replaces sys.stdout wants what follows.
        stream = self._stream or sys.stdout
        writer = self._writers.get(STDOUT)
        if writer is not None and stream is self._watched:
            writer.submit(line)
        elif stream is not None:  # in memory
            with contextlib.suppress(OSError, ValueError):  # a closed stream
                stream.write(f"{line}\n")
                stream.flush()


def _console_renderer(
    settings: LogSettings, stream: TextIO
) -> structlog.dev.ConsoleRenderer | None:
    is_terminal = stream.isatty()
    if settings.format is LogFormat.JSON or (settings.format is LogFormat.AUTO and not is_terminal):
        return None
    return structlog.dev.ConsoleRenderer(
        colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
    )


def _descriptor_of(stream: TextIO | None) -> int | None:
    """Return the descriptor behind a stream; None if it is in memory, or closed."""
    try:
        return stream.fileno() if stream is not None else None
    except (OSError, ValueError):
        return None


def _open_within(file: RotatingFile, seconds: float) -> None:
    """Open a file whose disk may hang. Raises `OSError`."""
    failures: list[OSError] = []

    def open_it() -> None:
        try:
            file.open()
        except OSError as error:
            failures.append(error)

    opening = threading.Thread(target=open_it, name="log:open", daemon=True)
    opening.start()
    opening.join(seconds)
    if opening.is_alive():
        raise OSError(errno.ETIMEDOUT, f"the log file cannot be opened within {seconds:g} s")
    if failures:
        raise failures[0]
