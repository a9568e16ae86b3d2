"""Fingerprints: equal for what says the same, different for what does not, stable over releases."""

import json
from typing import Any

import pytest

from gateway_contracts import Command, parse_command
from gateway_worker.commands.fingerprint import fingerprint


def command(**data: Any) -> Command:
    """Return a send with this data."""
    payload = {
        "specversion": "1.0",
        "id": "x",
        "source": "/backends/test",
        "type": "wa.message.send.v1",
        "subject": "s",
        "data": {"to": "+12025550101", "content": {"kind": "text", "text": "hi"}, **data},
    }
    return parse_command(json.dumps(payload).encode())


def test_it_is_what_it_was_in_earlier_releases() -> None:
    """Repeats of what is stored must go on being repeats: never change this value."""
    assert fingerprint(command()) == "c4b4645f9358685a04b5044fe1273f03"


@pytest.mark.parametrize(
    "data",
    [
        {"on_uncertain": "fail"},
        {"reply_to": None},
        {"content": {"text": "hi", "mentions": [], "kind": "text"}},
        {"later": 1},
    ],
)
def test_defaults_and_unknown_fields_do_not_count(data: dict[str, Any]) -> None:
    """A later release has more of them."""
    assert fingerprint(command(**data)) == fingerprint(command())


@pytest.mark.parametrize(
    "data",
    [
        {"on_uncertain": "resend"},
        {"to": "+12025550102"},
        {"content": {"kind": "text", "text": "ho"}},
        {"content": {"kind": "text", "text": "hi", "mentions": ["+12025550103"]}},
        {"reply_to": {"message_id": "M1"}},
    ],
)
def test_whatever_would_be_done_otherwise_counts(data: dict[str, Any]) -> None:
    """Recipient, content, what is quoted, what to do if it is uncertain."""
    assert fingerprint(command(**data)) != fingerprint(command())
