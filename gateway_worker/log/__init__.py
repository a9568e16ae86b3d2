"""Logs: structured lines on stdout, and in a file if wanted, from our code and from every library.

`pipeline` configures both structlog and the standard library's logging, once, at the start;
`redaction` is the last thing a line goes through before it is written. Code logs events, not
sentences (`log.info("command.settled", outcome=...)`), and never hands over message text, numbers
or keys; the redaction is there for the day when somebody does.
"""

from gateway_worker.log.pipeline import (
    Logging,
    configure_logging,
    current_level,
    flush_logging,
    reset_logging,
    set_level,
)
from gateway_worker.log.redaction import redact, redact_text
from gateway_worker.log.settings import LogFormat, LogLevel, LogSettings
from gateway_worker.log.sinks import SINKS
from gateway_worker.log.writer import write_within

__all__ = [
    "SINKS",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "Logging",
    "configure_logging",
    "current_level",
    "flush_logging",
    "redact",
    "redact_text",
    "reset_logging",
    "set_level",
    "write_within",
]
