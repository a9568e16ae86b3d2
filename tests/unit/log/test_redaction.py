"""Redaction: what must never be written is not, and what is needed to find a fault still is."""

import base64
import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from gateway_contracts import ErrorCode
from gateway_worker.log.redaction import MAX_CHARACTERS, redact, redact_text

NUMBERS = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)
SERVERS = st.sampled_from(["s.whatsapp.net", "lid", "g.us", "c.us", "hosted.lid"])
DEVICES = st.sampled_from(["", ":3", ":17"])
# Evenly distributed, as keys are; hypothesis likes zeros, which no key is made of.
KEYS = st.builds(
    lambda seed, size: hashlib.blake2b(seed, digest_size=size).digest(),
    st.binary(max_size=8),
    st.integers(32, 64),
)
ENCODINGS = st.sampled_from([bytes.hex, lambda key: base64.b64encode(key).decode()])
PASSWORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=40)
# What surrounds a secret; never a letter or a digit, which would be part of it.
EDGES = st.sampled_from(
    ["", " ", "'", '"', "(", ")", "[", "]", "<", ">", "=", ": ", "/", ",", "\n"]
)
PROSE = st.text(st.characters(codec="utf-8", exclude_categories=["N", "Cs"]), max_size=40)


def surrounded(secret: str, before: str, opening: str, closing: str, after: str) -> str:
    """Put a secret in the middle of a text."""
    return f"{before} {opening}{secret}{closing} {after}"


@settings(deadline=None)
@given(NUMBERS, st.sampled_from(["", "+"]), PROSE, EDGES, EDGES, PROSE)
def test_phone_numbers_never_pass(
    number: str, plus: str, before: str, opening: str, closing: str, after: str
) -> None:
    """A number of 7 to 15 digits is gone, wherever in a text it stands."""
    assert number not in redact_text(surrounded(plus + number, before, opening, closing, after))


@settings(deadline=None)
@given(NUMBERS, DEVICES, SERVERS, PROSE, EDGES, EDGES, PROSE)
def test_jids_never_pass(
    number: str, device: str, server: str, before: str, opening: str, closing: str, after: str
) -> None:
    """A WhatsApp id is gone, with its device."""
    jid = f"{number}{device}@{server}"

    written = redact_text(surrounded(jid, before, opening, closing, after))

    assert number not in written
    assert f"@{server}" not in written


@settings(deadline=None)
@given(KEYS, ENCODINGS, PROSE, EDGES, EDGES, PROSE)
def test_keys_never_pass(
    key: bytes,
    encode: Callable[[bytes], str],
    before: str,
    opening: str,
    closing: str,
    after: str,
) -> None:
    """A key of 32 bytes or more is gone, as base64 and as hex."""
    text = encode(key)

    assert text not in redact_text(surrounded(text, before, opening, closing, after))


@settings(deadline=None)
@given(
    st.sampled_from(["amqp", "amqps", "postgresql+asyncpg", "redis", "https"]),
    st.sampled_from(["", "gateway", "a.b"]),
    PASSWORDS,
)
def test_passwords_in_urls_never_pass(scheme: str, user: str, password: str) -> None:
    """The password is gone; where the URL points to is not."""
    written = redact_text(f"no way to {scheme}://{user}:{password}@db.internal:5432/gateway?x=1")

    assert written == f"no way to {scheme}://{user}:[secret]@db.internal:5432/gateway?x=1"


@settings(deadline=None)
@given(KEYS, KEYS, st.sampled_from(["", "https://wa.me/settings/linked_devices#"]))
def test_qr_codes_never_pass(reference: bytes, key: bytes, link: str) -> None:
    """The text of a QR code, bare or as a link, is gone as a whole."""
    parts = [base64.b64encode(each).decode() for each in (reference, key, key[::-1])]
    text = f"{link}2@{parts[0]},{parts[1]},{parts[2]},1"

    assert redact_text(f"shown: {text} now") == "shown: [qr] now"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """What has been redacted is not mistaken for something to redact."""
    once = redact_text(text)

    assert redact_text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "01939d4e-6a1f-7c3e-8a55-3f1d2b9c7e10",
        "12345678-1234-1234-1234-123456789012",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00000000000000000042",
        "3EB0C431C26A1916E07A",
        "2026-11-24T06:35:27.532123Z",
        "2026-11-24T06:35:27+00:00",
        "gateway-worker-7d9f8b6c5d-x2x4z",
        "/usr/local/lib/python3.11/site-packages/gateway_worker/sessions/supervisor.py",
        "outbox_settings_that_have_a_very_long_name_indeed",
        "127.0.0.1:56722",
        "took 0.12345678901 s",
        "no answer within 10 s: reconnect 3 of 20",
        "wa.worker.gateway-worker-0",
        "gateway_worker.sessions.ownership.manager",
        "TimeoutError: connect",
        "session-01939d4e-6a1f-7c3e-8a55-3f1d2b9c7e10-host",
    ],
)
def test_what_operators_search_for_passes(text: str) -> None:
    """Ids, times, paths, addresses and names stay as they are."""
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password='hunter2 and more' x", "password=[secret] x"),
        ('{"secret": "abc def"}', '{"secret": [secret]}'),
        ("host=db password=hunter2 user=x", "host=db password=[secret] user=x"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer [secret]"),
        (
            "GET https://s3/b/k?X-Amz-Signature=abc123&X-Amz-Date=20261124T000000Z",
            "GET https://s3/b/k?X-Amz-Signature=[secret]&X-Amz-Date=20261124T000000Z",
        ),
        ("type ABCD-EFGH on the phone", "type [pair code] on the phone"),
        ("[parameters: ('hello', 3)]", "[values]"),
        ("DETAIL:  Failing row contains (1, hello).", "DETAIL:  Failing row contains [values]"),
        ("Key (text)=(hello) already exists.", "Key [values] already exists."),
    ],
)
def test_other_secrets_are_named(text: str, expected: str) -> None:
    """Secrets that only their surroundings give away."""
    assert redact_text(text) == expected


def test_the_same_person_has_the_same_token() -> None:
    """A number in several spellings, and the id made of it, can still be matched."""
    tokens = {
        redact_text(text).partition("#")[2].rstrip("]")
        for text in (
            "15550100001",
            "+15550100001",
            "+1 (555) 010-0001",
            "15550100001@s.whatsapp.net",
            "15550100001:7@s.whatsapp.net",
        )
    }

    assert len(tokens) == 1
    assert redact_text("15550100002") != redact_text("15550100001")


def test_fields_are_judged_by_their_names_too() -> None:
    """What is personal or secret by its name is not even looked at."""
    fields = {
        "text": "hello",
        "phone": 15550100001,
        "push_name": "Ada",
        "qr": "x",
        "password": "y",
        "text_missing": None,
        "nested": {"sender": "Ada", "ok": True},
    }

    assert redact(fields) == {
        "text": "[personal]",
        "phone": "[personal]",
        "push_name": "[personal]",
        "qr": "[secret]",
        "password": "[secret]",
        "text_missing": None,
        "nested": {"sender": "[personal]", "ok": True},
    }


@pytest.mark.parametrize("session_id", ["1000001", "customer-123456789", "acme-support"])
def test_ids_keep_short_runs_of_digits(session_id: str) -> None:
    """A session named after a row of the backend's database can be searched for."""
    assert redact({"session_id": session_id}) == {"session_id": session_id}


def test_a_session_named_after_a_number_does_not_show_it() -> None:
    """Ten digits and more are taken for a phone number even in an id."""
    assert "15550100001" not in redact({"session_id": "wa-15550100001"})["session_id"]


class Message(BaseModel):
    """Stands for any model that holds a message."""

    text: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (0.5, 0.5),
        (True, True),
        (None, None),
        (ErrorCode.EXPIRED, "expired"),
        (b"hello", "<5 bytes>"),
        (Message(text=3), "<Message>"),
        (Path("/var/lib/gateway"), "/var/lib/gateway"),
        (datetime(2026, 11, 24, tzinfo=UTC), "2026-11-24 00:00:00+00:00"),
        (timedelta(seconds=90), "0:01:30"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (("a", {"b"}), ["a", ["b"]]),
        (ValueError("call +15550100001"), "ValueError: call [phone#"),
        ({"15550100001@lid": 1}, "[jid#"),
    ],
)
def test_values_become_plain(value: Any, expected: Any) -> None:
    """Known kinds of values are rendered, unknown ones only named."""
    written = redact({"value": value})["value"]

    if isinstance(expected, str) and expected.endswith("#"):
        assert expected in str(written)
        assert "15550100001" not in str(written)
    else:
        assert written == expected


def test_a_validation_error_does_not_repeat_its_input() -> None:
    """The validator shows the value that it refuses; the log does not."""
    with pytest.raises(ValidationError) as caught:
        Message.model_validate({"text": "my secret plan"})

    written = redact_text(str(caught.value))

    assert "my secret plan" in str(caught.value)
    assert "my secret plan" not in written
    assert "int_parsing" in written


def test_a_value_that_contains_itself_ends() -> None:
    """A loop in the data does not become one in the log."""
    loop: dict[str, Any] = {}
    loop["again"] = loop

    assert "..." in str(redact(loop))


def test_a_huge_text_is_cut_without_showing_half_a_number() -> None:
    """A number across the cut is not written in part."""
    text = "x " * (MAX_CHARACTERS // 2 - 3) + "15550100001" + " y" * 100

    written = redact_text(text)

    assert len(written) < MAX_CHARACTERS
    assert "1555" not in written
    assert written.endswith("...[cut]")
