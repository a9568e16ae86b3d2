"""Reads the journals of sends that hosts keep: the worker's half of what makes a send certain.

A host whose worker is gone still finishes the send that runs, so what the journal says is final
only when that host cannot write any more: when nobody holds the directory's lock, or when a host of
this worker has opened the journal, which it does holding the lock.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway_worker.host_protocol.journal_format import (
    Acknowledgement,
    Journal,
    Rejection,
    Submission,
    boot_id,
    parse,
)
from gateway_worker.host_protocol.layout import JOURNAL_NAME, LOCK_NAME
from gateway_worker.sessions.send_journal import (
    Acknowledged,
    NotSubmitted,
    Rejected,
    SendTrace,
    Submitted,
    Unknown,
)
from gateway_worker.whatsapp.errors import error_of
from gateway_worker.whatsapp.message_ids import find_message

PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command's run, as its worker knows it."""

    command_id: str
    worker_id: str
    epoch: int
    began: datetime | None = None


async def trace(
    directory: Path, run: Run, *, is_ours: Callable[[int], bool], seconds: float
) -> SendTrace:
    """Return what became of a send.

    Args:
        directory: The session's directory.
        run: The command's run.
        is_ours: Whether a process id is that of a host of this worker that runs now.
        seconds: How long to wait for the end of a host that another worker has left.
    """
    deadline = time.monotonic() + seconds
    while True:
        found, is_final = await asyncio.to_thread(_look, directory, run, is_ours)
        is_over = time.monotonic() >= deadline
        if isinstance(found, Submitted) and (is_final or is_over):
            return await asyncio.to_thread(submitted, directory, run.command_id)
        if is_final or isinstance(found, Acknowledged | Rejected):
            return found
        if is_over:
            return Unknown(detail="a host is in the way")
        await asyncio.sleep(PAUSE_SECONDS)


def submitted(directory: Path, command_id: str) -> Submitted:
    """Return which message a send has submitted, as far as that is known. Blocks; never raises."""
    found = find_message(directory, command_id)
    if found is None:
        return Submitted()
    return Submitted(chat=found.chat, message_id=found.message_id)


def _look(directory: Path, run: Run, is_ours: Callable[[int], bool]) -> tuple[SendTrace, bool]:
    # The lock first: a host that ends in between has written all it had to say by the time of
    # the reading.
    is_free = _is_unlocked(directory)
    try:
        journal = parse((directory / JOURNAL_NAME).read_bytes())
    except OSError:
        return Unknown(detail="there is no journal"), is_free
    if journal is None:
        return Unknown(detail="the journal is damaged"), is_free
    opened = journal.opened
    return _trace(journal, directory, run), is_free or (opened is not None and is_ours(opened.pid))


def _is_unlocked(directory: Path) -> bool:
    try:
        lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _trace(journal: Journal, directory: Path, run: Run) -> SendTrace:
    match journal.last.get(run.command_id):
        case Submission():
            return Submitted()
        case Acknowledgement(result=result):
            return Acknowledged(result=result)
        case Rejection() as refusal:
            return Rejected(error=error_of(refusal.failure))
        case None:
            gap = _gap(journal, directory, run)
            return NotSubmitted() if gap is None else Unknown(detail=gap)


def _gap(journal: Journal, directory: Path, run: Run) -> str | None:
    """Return why a command that is not in the journal may have been handed over all the same."""
    header = journal.header
    if journal.damaged:
        return "the journal is damaged"
    if header.worker_id != run.worker_id:
        return "the journal is another worker's"
    is_earlier = run.began is not None and run.began.timestamp() < header.since
    if header.epoch > run.epoch or is_earlier or header.has_forgotten(run.command_id):
        return "the journal began later, or has forgotten it"
    if header.boot != boot_id():
        return "the machine was started anew"
    try:
        word = (directory / LOCK_NAME).read_text("ascii", "replace")
    except OSError:
        return "no host has used the directory"
    return None if word == header.word else "the journal is a copy"
