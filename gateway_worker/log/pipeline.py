"""From an event to lines: one pipeline for our own events and for those of every library.

    structlog ──► context, time, level ──┐
                                         ├──► throttle ──► exception as text ──► redaction ──► sinks
    logging ───► record as fields ───────┘

Nothing here may make the worker fail or wait: what cannot be rendered is written in a simpler form,
and each sink (stdout, a file) has a thread and a bounded queue of its own (see `writer`).
"""

import contextlib
import errno
import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

import orjson
import structlog

from gateway_contracts import LogLevel
from gateway_worker.log.redaction import redact
from gateway_worker.log.rotating import RotatingFile
from gateway_worker.log.settings import LogFormat, LogSettings
from gateway_worker.log.throttle import Repetition, Throttle
from gateway_worker.log.writer import Descriptor, LineWriter, Sink

EventDict = MutableMapping[str, Any]

STDOUT: Final = "stdout"
FILE: Final = "file"
SINKS: Final = (STDOUT, FILE)
OPEN_SECONDS: Final = 5.0
"""How long opening the log file may take: a pipe without a reader would take for ever."""
CLOSE_SECONDS: Final = 1.0
"""How long the last lines may take at the end."""
_NUMBERS: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_LIBRARY_LEVEL: Final = logging.WARNING
_TRANSPORTS: Final = ("aiormq",)
_JSON_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


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
            head = _head("warning", "gateway_worker.log")
            event = {"event": "log.lines_dropped", "sink": name, "lines": lines}
            return render({**head, **event, **self._fields})

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


class EventLogger:
    """What structlog's loggers end in: remembers its name for the line.

    structlog calls the method that is named like the event's level.
    """

    def __init__(self, name: str, sinks: Sinks) -> None:
        self.name = name
        self._sinks = sinks

    def msg(self, fields: dict[str, Any]) -> None:
        """Write an event that has been through all processors."""
        self._sinks.write(fields)

    debug = info = warning = error = critical = exception = fatal = log = msg


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hooks:
    """What the interpreter calls with errors that nobody has caught."""

    uncaught: Callable[..., Any]
    thread: Callable[..., Any]
    lost: Callable[..., Any]

    @classmethod
    def current(cls) -> "_Hooks":
        return cls(uncaught=sys.excepthook, thread=threading.excepthook, lost=sys.unraisablehook)

    def install(self) -> None:
        sys.excepthook = self.uncaught
        threading.excepthook = self.thread
        sys.unraisablehook = self.lost


class EventFilter(structlog.make_filtering_bound_logger(logging.INFO)):  # type: ignore[misc]
    """What every logger is; `set_level` says what it lets through.

    Attributes:
        level: From which level on.
    """

    level = LogLevel.INFO


class LibraryHandler(logging.Handler):
    """Takes the records of the standard library's loggers into the pipeline."""

    def __init__(
        self, sinks: Sinks, throttle: Throttle, fields: Mapping[str, str], level: int
    ) -> None:
        super().__init__(level)
        self.sinks = sinks
        self.hooks_before = _Hooks.current()
        self._throttle = throttle
        self._fields = fields

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a broken one is written with what can be read of it."""
        level = _severity(record)
        if level < self.level:
            return
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - the caller's format and arguments do not fit
            message = str(record.msg)
        event: EventDict = {
            "event": "library.message",
            "message": message,
            "exc_info": record.exc_info,
            **structlog.contextvars.get_contextvars(),
            **self._fields,
        }
        whole = {**_head(logging.getLevelName(level).lower(), record.name), **event}
        _tell_repetitions(self.sinks, self._throttle, self._fields)
        if self._throttle.admits(whole, subject=str(record.msg)):
            self.sinks.write(redact(_with_exception(whole)))

    def close(self) -> None:
        """Close the sinks too."""
        _tell_repetitions(self.sinks, self._throttle, self._fields, everything=True)
        self.sinks.close()
        super().close()


def configure_logging(
    settings: LogSettings, *, fields: Mapping[str, str] | None = None, stream: TextIO | None = None
) -> "Logging":
    """Set up structlog, the standard library's logging and the hooks for what nobody has caught.

    Call it once per process, before the first event. Calling it again replaces the set-up.

    Args:
        settings: Level, format and file.
        fields: Added to every line, e.g. the worker's id.
        stream: Written to instead of stdout.

    Returns:
        What was not written, for metrics.

    Raises:
        OSError: The log file cannot be opened.
    """
    constant = dict(fields or {})
    sinks = Sinks(settings, stream=stream, fields=constant)
    throttle = Throttle()

    def finish(
        logger: EventLogger, method: str, event: EventDict
    ) -> tuple[tuple[dict[str, Any]], dict[str, Any]]:
        _tell_repetitions(sinks, throttle, constant)
        whole = {**_named(method, logger.name), **event}
        if not throttle.admits(whole):
            raise structlog.DropEvent
        return (redact(_with_exception({**whole, **constant}), safe={"timestamp": _now()}),), {}

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, finish],
        wrapper_class=EventFilter,
        logger_factory=lambda *names: EventLogger(names[0] if names else "gateway_worker", sinks),
        cache_logger_on_first_use=True,
    )
    handler = LibraryHandler(sinks, throttle, constant, _LIBRARY_LEVEL)
    _replace_handlers(handler)
    set_level(settings.level)
    logging.captureWarnings(capture=True)
    _Hooks(uncaught=_log_uncaught, thread=_log_uncaught_in_thread, lost=_log_unraisable).install()
    return Logging(sinks=sinks, throttle=throttle)


def set_level(level: LogLevel) -> None:
    """Write events from this level on, from now on: also those of loggers that have been used.

    The filter of a level is a class without the methods of those below it; every logger has looked
    its class up long ago, so the methods of that one are replaced. It costs an event nothing.
    """
    EventFilter.level = level
    number = _NUMBERS[level]
    for name, method in vars(structlog.make_filtering_bound_logger(number)).items():
        if not name.startswith("__"):
            setattr(EventFilter, name, method)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LibraryHandler):
            handler.setLevel(max(_LIBRARY_LEVEL, number))
            logging.getLogger().setLevel(handler.level)


def current_level() -> LogLevel:
    """Return from which level on events are written."""
    return EventFilter.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """What `configure_logging` has set up."""

    sinks: Sinks
    throttle: Throttle

    def flush(self, seconds: float) -> None:
        """Wait until everything is written, for so long at most."""
        self.sinks.flush(seconds)


def flush_logging(seconds: float = CLOSE_SECONDS) -> None:
    """Wait until everything is written, for so long at most; nothing if nothing is set up."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LibraryHandler):
            handler.sinks.flush(seconds)


def reset_logging() -> None:
    """Undo `configure_logging`: close the file, give structlog and the root logger back."""
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, LibraryHandler)]:
        root.removeHandler(handler)
        handler.close()
        handler.hooks_before.install()
    root.setLevel(logging.WARNING)


def to_json(fields: dict[str, Any]) -> str:
    """Render plain fields as one line of JSON, whatever their texts are made of."""
    try:
        return orjson.dumps(fields, option=_JSON_OPTIONS).decode()
    except TypeError:  # half of a surrogate pair, an integer of more than 64 bits
        return json.dumps(fields, default=str)


def _head(level: str, name: str) -> dict[str, Any]:
    return {"timestamp": _now(), **_named(level, name)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _named(level: str, name: str) -> dict[str, Any]:
    return {"level": level, "event": "", "logger": name}


def _severity(record: logging.LogRecord) -> int:
    """Return a record's level: that a connection has ended is no error of the worker's.

    What it means for the worker, the worker says itself.
    """
    error = _exception_of(record.exc_info) if record.exc_info else None
    if record.name.startswith(_TRANSPORTS) or isinstance(error, ConnectionError):
        return min(record.levelno, logging.WARNING)
    return record.levelno


def _with_exception(event: dict[str, Any]) -> dict[str, Any]:
    """Turn `exc_info` into text: no objects, no local variables."""
    exc_info = event.pop("exc_info", None)
    if exc_info:
        error = _exception_of(exc_info)
        if error is not None:
            event["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return event


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1]


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


def _tell_repetitions(
    sinks: Sinks, throttle: Throttle, fields: Mapping[str, str], *, everything: bool = False
) -> None:
    for found in throttle.due(everything=everything):
        sinks.write(redact({**_repeated(found), **fields}))


def _repeated(found: Repetition) -> dict[str, Any]:
    head = _head(found.level, found.logger)
    told = {"event": "log.lines_repeated", "of": found.event, "times": found.times}
    return {**head, **told, **({"subject": found.subject} if found.subject else {})}


def _replace_handlers(handler: LibraryHandler) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:  # among them what a library's basicConfig has installed
        root.removeHandler(old)
        if isinstance(old, LibraryHandler):
            handler.hooks_before = old.hooks_before
        old.close()
    root.addHandler(handler)
    root.setLevel(handler.level)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("gateway_worker").critical("process.uncaught_exception", exc_info=error)


def _log_uncaught_in_thread(caught: threading.ExceptHookArgs) -> None:
    log = structlog.get_logger("gateway_worker")
    name = caught.thread.name if caught.thread is not None else ""
    log.error("thread.uncaught_exception", thread=name, exc_info=caught.exc_value)


def _log_unraisable(caught: "sys.UnraisableHookArgs") -> None:
    log = structlog.get_logger("gateway_worker")
    log.error("process.unraisable_exception", where=caught.err_msg, exc_info=caught.exc_value)
