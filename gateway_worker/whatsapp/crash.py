"""Why a host died, for people: its exit status and what a native crash said first."""

import signal
from pathlib import Path
from typing import Final

from gateway_worker.host_protocol.layout import ERRORS_NAME

_READ_BYTES: Final = 1024 * 1024
"""More than the host lets it grow to, with a crash after that."""
_LONGEST: Final = 200
_TELLING: Final = ("fatal error:", "panic:", "runtime:", "SIGSEGV", "SIGABRT", "SIGBUS")


def crash_reason(directory: Path, status: int | None) -> str:
    """Return a text such as `killed by SIGABRT: fatal error: concurrent map writes`.

    Args:
        directory: The session's directory.
        status: The exit code, minus the signal, or None if it is not known.
    """
    if status is None:
        return "its process is gone"
    if status == 0:
        return "it left"
    reason = f"killed by {_signal_name(-status)}" if status < 0 else f"exit code {status}"
    words = _last_words(directory / ERRORS_NAME)
    return f"{reason}: {words}" if words else reason


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(path: Path) -> str:
    """Return the line with which Go announces a crash, or the last line of a Python one."""
    try:
        with path.open("rb") as file:
            lines = file.read(_READ_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        if line.startswith(_TELLING):
            return line[:_LONGEST]
    is_python = any(line.startswith("Traceback") for line in lines)
    return lines[-1].partition(":")[0][:_LONGEST] if is_python else ""
