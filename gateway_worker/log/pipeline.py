"""From an event to lines: one pipeline for our own events and for those of every library.

    structlog ──► context, time, level ──┐
                                         ├──► exception as text ──► redaction ──► stdout, file
    logging ───► record as fields ───────┘

Nothing here may make the worker fail: what cannot be rendered is written in a simpler form, and a
sink that cannot be written to is skipped.
"""

import contextlib
import json
import logging
import logging.handlers
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

import orjson
import structlog

from gateway_worker.log.redaction import redact
from gateway_worker.log.settings import LogFormat, LogSettings

EventDict = MutableMapping[str, Any]

_LIBRARY_LEVEL: Final = logging.WARNING
_TRANSPORTS: Final = ("aiormq",)
_JSON_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


class Sinks:
    """Where lines go.

    Args:
        settings: Format and file.
        stream: Written to instead of stdout.
    """

    def __init__(self, settings: LogSettings, *, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._console = _console_renderer(settings, stream or sys.stdout)
        self._file: logging.handlers.RotatingFileHandler | None = None
        if settings.file is not None:
            self._file = logging.handlers.RotatingFileHandler(
                settings.file,
                maxBytes=settings.file_max_bytes,
                backupCount=settings.file_backups,
                encoding="utf-8",
            )

    def write(self, fields: dict[str, Any]) -> None:
        """Write one event, already redacted, everywhere."""
        line = to_json(fields) if self._console is None or self._file is not None else ""
        if self._console is not None:
            self._print(str(self._console(None, "", dict(fields))))
        else:
            self._print(line)
        if self._file is not None:
            self._file.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _print(self, line: str) -> None:
        # Looked up for each line: whoever replaces sys.stdout wants what follows.
        stream = self._stream or sys.stdout
        with contextlib.suppress(OSError, ValueError):  # a reader that has gone, a closed stream
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


class LibraryHandler(logging.Handler):
    """Takes the records of the standard library's loggers into the pipeline."""

    def __init__(self, sinks: Sinks, fields: Mapping[str, str], level: int) -> None:
        super().__init__(level)
        self._sinks = sinks
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
        head = _head(logging.getLevelName(level).lower(), record.name)
        self._sinks.write(redact(_with_exception({**head, **event})))

    def close(self) -> None:
        """Close the sinks too."""
        self._sinks.close()
        super().close()


def configure_logging(
    settings: LogSettings, *, fields: Mapping[str, str] | None = None, stream: TextIO | None = None
) -> None:
    """Set up structlog, the standard library's logging and the hook for what nobody has caught.

    Call it once per process, before the first event. Calling it again replaces the set-up.

    Args:
        settings: Level, format and file.
        fields: Added to every line, e.g. the worker's id.
        stream: Written to instead of stdout.

    Raises:
        OSError: The log file cannot be opened.
    """
    sinks = Sinks(settings, stream=stream)
    constant = dict(fields or {})
    level = getattr(logging, settings.level.upper())

    def finish(
        logger: EventLogger, method: str, event: EventDict
    ) -> tuple[tuple[dict[str, Any]], dict[str, Any]]:
        head = _head(method, logger.name)
        return (redact(_with_exception({**head, **event, **constant})),), {}

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: EventLogger(names[0] if names else "gateway_worker", sinks),
        cache_logger_on_first_use=True,
    )
    _replace_handlers(LibraryHandler(sinks, constant, max(_LIBRARY_LEVEL, level)))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def reset_logging() -> None:
    """Undo `configure_logging`: close the file, give structlog and the root logger back."""
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, LibraryHandler)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.WARNING)
    sys.excepthook = sys.__excepthook__


def to_json(fields: dict[str, Any]) -> str:
    """Render plain fields as one line of JSON, whatever their texts are made of."""
    try:
        return orjson.dumps(fields, option=_JSON_OPTIONS).decode()
    except TypeError:  # half of a surrogate pair, an integer of more than 64 bits
        return json.dumps(fields, default=str)


def _head(level: str, name: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": now, "level": level, "event": "", "logger": name}


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


def _replace_handlers(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:  # among them what a library's basicConfig has installed
        root.removeHandler(old)
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
