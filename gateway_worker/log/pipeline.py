"""From an event to lines: one pipeline for our own events and for those of every library.

    structlog ──► context, time, level ──┐
                                         ├──► throttle ──► exception as text ──► redaction ──► sinks
    logging ───► record as fields ───────┘

Nothing here may make the worker fail or wait: what cannot be rendered is written in a simpler form,
and each sink has a thread and a bounded queue of its own (see `sinks` and `writer`).
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from gateway_contracts import LogLevel
from gateway_worker.log.lines import head, named, now
from gateway_worker.log.redaction import redact
from gateway_worker.log.settings import LogSettings
from gateway_worker.log.sinks import CLOSE_SECONDS, Sinks
from gateway_worker.log.throttle import Repetition, Throttle

EventDict = MutableMapping[str, Any]

_NUMBERS: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_LIBRARY_LEVEL: Final = logging.WARNING
_TRANSPORTS: Final = ("aiormq",)


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
        whole = {**head(logging.getLevelName(level).lower(), record.name), **event}
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
        whole = {**named(method, logger.name), **event}
        if not throttle.admits(whole):
            raise structlog.DropEvent
        return (redact(_with_exception({**whole, **constant}), safe={"timestamp": now()}),), {}

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


def _tell_repetitions(
    sinks: Sinks, throttle: Throttle, fields: Mapping[str, str], *, everything: bool = False
) -> None:
    for found in throttle.due(everything=everything):
        sinks.write(redact({**_repeated(found), **fields}))


def _repeated(found: Repetition) -> dict[str, Any]:
    begin = head(found.level, found.logger)
    told = {"event": "log.lines_repeated", "of": found.event, "times": found.times}
    return {**begin, **told, **({"subject": found.subject} if found.subject else {})}


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
