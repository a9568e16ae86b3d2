"""What the library's return means: told by the field it names, and by its log before."""

import pytest

from gateway_worker.whatsapp.convert.stops import (
    NO_REFUSAL,
    Refusal,
    is_stop,
    last_word,
    refusal,
)

BAN = b'Temporary ban connect failure: <failure code="105" expire="3600" reason="402"/>'
UNKNOWN = b'Unknown connect failure: <failure location="loc" reason="415"/>'


def required(field: str) -> str:
    """Return the library's error for a value that it has no name for."""
    return f"proto:\u00a0required field neonize.{field} not set"


def test_the_log_tells_the_numbers_of_a_refusal() -> None:
    """Of bans and of failures; other lines say nothing, and what is not there is not known."""
    assert refusal(BAN) == Refusal(reason=402, code=105, expire=3600)
    assert refusal(UNKNOWN) == Refusal(reason=415)
    assert refusal(b"Unknown connect failure: <failure/>") == NO_REFUSAL
    assert refusal(b'Got <failure reason="415"/> in a text') is None
    assert refusal(b"Error decrypting message " + BAN + b" from 7@lid: no session") is None


@pytest.mark.parametrize(
    ("error", "refused", "reason", "detail"),
    [
        (required("TemporaryBan.Code"), refusal(BAN), "temporary_ban", "(code 105)"),
        (required("TemporaryBan.Code"), NO_REFUSAL, "temporary_ban", "(code unknown)"),
        (required("ConnectFailure.Reason"), refusal(UNKNOWN), "refused", "(415)"),
        (required("ConnectFailure.Reason"), Refusal(reason=501), "refused", "(501)"),
        (required("ConnectFailure.Reason"), Refusal(reason=429), "refused_for_now", "(429)"),
        (required("ConnectFailure.Reason"), Refusal(reason=502), "refused_for_now", "(502)"),
        (required("ConnectFailure.Reason"), NO_REFUSAL, "refused", "(unknown)"),
        (required("Receipt.Type"), NO_REFUSAL, "library_stopped", "Receipt.Type"),
        (required("Receipt"), refusal(BAN), "library_stopped", "Receipt"),
        ("websocket: bad handshake", refusal(BAN), "unreachable", "first connection"),
    ],
)
def test_what_a_return_means(error: str, refused: Refusal | None, reason: str, detail: str) -> None:
    """Before there was any connection."""
    word = last_word(error, refused=refused or NO_REFUSAL, was_connected=False)

    assert (word.reason, detail in word.detail) == (reason, True)
    assert is_stop(error, was_connected=False) == (reason != "unreachable")


def test_any_return_after_a_connection_is_a_stop() -> None:
    """Whatever the text says: nothing more comes from this library. The text is not repeated."""
    word = last_word("+15550100002 said no", refused=NO_REFUSAL, was_connected=True)

    assert word.reason == "library_stopped"
    assert "555" not in word.detail
    assert is_stop("", was_connected=True)
