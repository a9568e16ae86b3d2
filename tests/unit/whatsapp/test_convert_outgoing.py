"""Whom a message goes to, and what the library's errors mean."""

import pytest

from gateway_worker.host_protocol.failures import FailureKind
from gateway_worker.whatsapp.convert.failures import RATE_LIMIT_SECONDS, send_failure
from gateway_worker.whatsapp.convert.recipients import (
    RecipientError,
    destination,
    is_person,
    recipient,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+4915550002", "4915550002@s.whatsapp.net"),
        ("4915550002", "4915550002@s.whatsapp.net"),
        ("4915550002:7@s.whatsapp.net", "4915550002@s.whatsapp.net"),
        ("4915550002@c.us", "4915550002@s.whatsapp.net"),
        ("+4915550002.0:7@c.us", "4915550002@s.whatsapp.net"),
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


@pytest.mark.parametrize("text", ["status@broadcast", "120363000000000002@newsletter"])
def test_where_more_than_people_are_sent_to(text: str) -> None:
    """As it is; nobody can be named by such an id."""
    assert destination(text) == text
    assert not is_person(text)
    with pytest.raises(RecipientError):
        recipient(text)


@pytest.mark.parametrize(
    "text", ["1@broadcast", "a@newsletter", "@newsletter", "status@newsletter"]
)
def test_no_such_place(text: str) -> None:
    """Broadcast lists and what is no id."""
    with pytest.raises(RecipientError):
        destination(text)


SOMEBODY = "4915550009@s.whatsapp.net"
LOOK_UP = f"failed to get user info for {SOMEBODY} to fill LID cache: failed to send usync query: "
GROUP = "failed to get group members: "


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("failed to send message node: websocket not connected", FailureKind.NOT_CONNECTED),
        ("websocket not connected", FailureKind.UNCERTAIN),
        ("client is nil", FailureKind.NOT_CONNECTED),
        (
            "failed to send message node: failed to write msg: write: connection reset by peer",
            FailureKind.NOT_CONNECTED,
        ),
        ("failed to write msg: write: connection reset by peer", FailureKind.UNCERTAIN),
        (f"no LID found for {SOMEBODY} from server", FailureKind.UNKNOWN_RECIPIENT),
        ("server returned error 463", FailureKind.REACHOUT_RESTRICTED),
        ("server returned error 479", FailureKind.STALE),
        ("server returned error 429", FailureKind.RATE_LIMITED),
        ("server returned error 503", FailureKind.TIMED_OUT),
        ("server returned error 1000", FailureKind.REJECTED),
        (LOOK_UP + "info query returned status 429: rate-overlimit", FailureKind.RATE_LIMITED),
        (LOOK_UP + "info query returned status 599: whatever", FailureKind.TIMED_OUT),
        (LOOK_UP + "info query returned status 403: forbidden", FailureKind.REJECTED),
        (LOOK_UP + "info query timed out", FailureKind.TIMED_OUT),
        (LOOK_UP + "websocket not connected", FailureKind.NOT_CONNECTED),
        (
            LOOK_UP + "websocket disconnected before info query (retry) returned response",
            FailureKind.TIMED_OUT,
        ),
        (
            LOOK_UP + 'info query returned unknown error: <error text="rate-overlimit"/>',
            FailureKind.RATE_LIMITED,
        ),
        ("missing <list> element in response to usync query", FailureKind.TIMED_OUT),
        (GROUP + "you're not participating in that group", FailureKind.REJECTED),
        (GROUP + "that group does not exist", FailureKind.REJECTED),
        (GROUP + "info query returned status 406: not-acceptable", FailureKind.REJECTED),
        (GROUP + "info query returned status 500: internal-server-error", FailureKind.TIMED_OUT),
        ("failed to get device list: info query timed out", FailureKind.TIMED_OUT),
        ("failed to prefetch sessions: failed to prefetch sessions: EOF", FailureKind.NOT_BEGUN),
        (
            "failed to save cached sessions: failed to store cached sessions: disk I/O error",
            FailureKind.NOT_BEGUN,
        ),
        ("failed to fetch LID mappings: database is locked", FailureKind.NOT_BEGUN),
        ("timed out waiting for message send response", FailureKind.UNCERTAIN),
        ("websocket disconnected before message send returned response", FailureKind.UNCERTAIN),
        ("websocket disconnected before message send (retry) returned resp", FailureKind.UNCERTAIN),
        ("websocket disconnected before info query returned response", FailureKind.TIMED_OUT),
        ("something that a later release says", FailureKind.UNCERTAIN),
    ],
)
def test_what_errors_mean(text: str, kind: str) -> None:
    """What was not sent is never uncertain, and the detail has no numbers of people."""
    failure = send_failure(text)

    assert failure.kind == kind
    assert "4915550009" not in failure.detail


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("something that a later release says", FailureKind.TIMED_OUT),
        ("timed out waiting for message send response", FailureKind.UNCERTAIN),
        ("websocket not connected", FailureKind.UNCERTAIN),
        ("server returned error 463", FailureKind.REACHOUT_RESTRICTED),
    ],
)
def test_a_store_in_which_nothing_changed(text: str, kind: str) -> None:
    """Proves of an unknown text that nothing was sent; what a known one says it does not change."""
    assert send_failure(text, untouched=True).kind == kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("server returned error 429", RATE_LIMIT_SECONDS),
        ('got error getting prekeys: <error code="429" backoff="90"/>', 90),
        ("failed to get device list: info query returned status 429: x", RATE_LIMIT_SECONDS),
    ],
)
def test_when_to_come_again(text: str, seconds: float) -> None:
    """When the server says so, or after a while."""
    assert send_failure(text).retry_after_seconds == seconds


def test_stale_keys_are_worth_one_more_attempt() -> None:
    """And no third one."""
    assert send_failure("server returned error 479").attempts == 2
