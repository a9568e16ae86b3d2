"""Waits until everything that has begun has come to its end; bounded: it may never happen."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway_contracts import SessionState
from gateway_worker.devkit.chaos.harness import ChaosHarness
from gateway_worker.devkit.chaos.traffic import Book

QUIET_SECONDS = 8.0
"""So long nothing may have been told: what was to come has come, or never will."""
_LOOK_SECONDS = 1.0
_SAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """What is still to come.

    Attributes:
        outcomes: Commands without an outcome.
        messages: Messages of phones without an event.
        files: Files of messages that have arrived, without their end.
        away: Sessions that are not connected.
    """

    outcomes: int
    messages: int
    files: int
    away: int

    def __str__(self) -> str:
        return (
            f"to come: {self.outcomes} outcomes, {self.messages} messages, {self.files} files, "
            f"{self.away} sessions"
        )


def outstanding(harness: ChaosHarness, book: Book) -> Outstanding:
    """Count what is still to come."""
    recorder = harness.recorder
    return Outstanding(
        outcomes=sum(
            one.command_id not in recorder.ended and one.bulk not in recorder.failed
            for one in book.published
        ),
        messages=sum(
            (note.session_id, note.message_id) not in recorder.received
            for note in book.sent_by_phones
        ),
        files=sum(
            note.file is not None
            and (note.session_id, note.message_id) in recorder.received
            and (note.session_id, note.message_id) not in recorder.files_ended
            for note in book.sent_by_phones
        ),
        away=sum(
            recorder.state(one.session_id) is not SessionState.CONNECTED for one in harness.setups
        ),
    )


async def until_quiet(
    harness: ChaosHarness, book: Book, *, seconds: float, announce: Callable[[str], None]
) -> bool:
    """Return True once all outcomes and files are there, all sessions connected and quiet.

    Messages that the library has lost never come: they are waited for until it is quiet. False once
    for `seconds` there was nothing less to come: how long a backlog takes, the machine decides.
    """
    deadline, told = time.monotonic() + seconds, 0.0
    fewest: int | None = None
    while time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        now = outstanding(harness, book)
        if fewest is None or now.outcomes + now.files < fewest:
            fewest, deadline = now.outcomes + now.files, time.monotonic() + seconds
        quiet_seconds = time.monotonic() - harness.recorder.last_event_at
        if not (now.outcomes or now.files or now.away) and quiet_seconds >= QUIET_SECONDS:
            return True
        if time.monotonic() - told >= _SAY_SECONDS:
            told = time.monotonic()
            announce(f"settling: {now}")
    return False
