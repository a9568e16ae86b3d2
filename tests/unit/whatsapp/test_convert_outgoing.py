"""Whom a message goes to, and what the library's errors mean."""

import pytest

from gateway_worker.whatsapp.convert.failures import send_failure
from gateway_worker.whatsapp.convert.recipients import RecipientError, recipient
from gateway_worker.whatsapp.ipc.frames import Failure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+4915550002", "4915550002@s.whatsapp.net"),
        ("4915550002", "4915550002@s.whatsapp.net"),
        ("4915550002:7@s.whatsapp.net", "4915550002@s.whatsapp.net"),
        ("802:7@lid", "802@lid"),
        ("120363000000000001@g.us", "120363000000000001@g.us"),
        ("4915550002-1400000000@g.us", "4915550002-1400000000@g.us"),
    ],
)
def test_recipients(text: str, expected: str) -> None:
    """Numbers and JIDs, never a single device."""
    assert recipient(text) == expected


@pytest.mark.parametrize(
    "text", ["", "+", "ben", "1@", "@lid", "1@example.com", "1-2@lid", "1-2-3@g.us", "١٢٣@lid"]
)
def test_what_nothing_can_be_sent_to(text: str) -> None:
    """Is refused before the library is asked; some of it would abort the process."""
    with pytest.raises(RecipientError):
        recipient(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("failed to send message node: websocket not connected", Failure.NOT_CONNECTED),
        ("websocket not connected", Failure.UNCERTAIN),
        ("client is nil", Failure.NOT_CONNECTED),
        (
            "failed to send message node: failed to write msg: write: connection reset by peer",
            Failure.NOT_CONNECTED,
        ),
        ("failed to write msg: write: connection reset by peer", Failure.UNCERTAIN),
        ("no LID found for 4915550009@s.whatsapp.net from server", Failure.UNKNOWN_RECIPIENT),
        ("server returned error 479", Failure.REJECTED),
        ("failed to get device list: info query timed out", Failure.TIMED_OUT),
        ("failed to prefetch sessions: failed to prefetch sessions: EOF", Failure.NOT_BEGUN),
        (
            "failed to save cached sessions: failed to store cached sessions: disk I/O error",
            Failure.NOT_BEGUN,
        ),
        ("failed to fetch LID mappings: database is locked", Failure.NOT_BEGUN),
        ("timed out waiting for message send response", Failure.UNCERTAIN),
        ("websocket disconnected before info query returned response", Failure.UNCERTAIN),
        ("something that a later release says", Failure.UNCERTAIN),
    ],
)
def test_what_errors_mean(text: str, kind: str) -> None:
    """Only what is known to have sent nothing says so; the detail has no numbers of people."""
    found, detail = send_failure(text)

    assert found == kind
    assert "4915550009" not in detail
