"""A reader of this version reads what a later one says: all that it knows of it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    Done,
    ErrorCode,
    GroupUpdated,
    MessageReceived,
    PrivacyInfo,
    SessionInfo,
    SessionState,
    parse_event,
    parse_known_event,
)
from gateway_contracts.content.unsupported import UnsupportedContent
from gateway_contracts.errors import ErrorCategory
from gateway_contracts.spec.catalog import MESSAGES, is_command
from gateway_contracts.spec.examples import Example, load_examples
from tests.contracts.support import body, nodes

EVENTS = [one for one in load_examples() if not is_command(MESSAGES[one.type])]


def told(message_type: str, **data: Any) -> bytes:
    """Return an event of this type, with other data in some fields."""
    payload = copy.deepcopy(load_examples(message_type)[0].payload)
    payload["data"] |= data
    return body(payload)


@pytest.mark.parametrize("example", EVENTS, ids=lambda one: one.name)
def test_new_fields_are_passed_over_wherever_they_are(example: Example) -> None:
    """In each object of an event, whatever they hold; but in notes, whose names are anybody's."""
    newer = copy.deepcopy(example.payload)
    for node in list(nodes(newer)):
        if not all(isinstance(value, str | int) for value in node.values()):
            node["of_a_later_version"] = {"kind": "hologram", "weights": [1, None]}
    assert parse_known_event(body(newer)) == parse_event(body(example.payload))


def test_a_new_kind_of_content_is_unsupported() -> None:
    """By its name, with all else that is told of the message."""
    hologram = {"kind": "hologram", "media": {"state": "ready"}, "text": "look"}

    event = parse_known_event(told("wa.message.received.v1", content=hologram))

    assert isinstance(event, MessageReceived)
    assert event.data.content == UnsupportedContent(message_type="hologram")
    known = parse_event(told("wa.message.received.v1"))
    assert isinstance(known, MessageReceived)
    assert event.data.sender == known.data.sender


def test_a_new_code_is_internal() -> None:
    """Whether a retry may help is told beside it."""
    error = {"code": "eclipsed", "category": "sky", "title": "The sky is dark", "retryable": True}

    event = parse_known_event(told("wa.command.failed.v1", error=error))

    assert isinstance(event, CommandFailed)
    told_error = event.data.error
    assert (told_error.code, told_error.category) == (ErrorCode.INTERNAL, ErrorCategory.INTERNAL)
    assert (told_error.title, told_error.retryable) == ("The sky is dark", True)


def test_a_new_kind_of_result_is_a_success_all_the_same() -> None:
    """Of a command that another backend has sent."""
    event = parse_known_event(told("wa.command.succeeded.v1", result={"kind": "eclipse"}))

    assert isinstance(event, CommandSucceeded)
    assert event.data.result == Done()


def test_new_words_are_left_out() -> None:
    """Of a field that may be missing, of a list, and of an open mapping."""
    session = {"kind": "session", "state": "connected", "reason": "solar_flare"}
    status = parse_known_event(told("wa.command.succeeded.v1", result=session))
    updated = parse_known_event(told("wa.group.updated.v1", what=["mood", "name", "weather"]))
    settings = {"about": "friends", "mood": "all", "online": "all"}
    shown = parse_known_event(
        told("wa.command.succeeded.v1", result={"kind": "privacy", "settings": settings})
    )

    assert isinstance(status, CommandSucceeded)
    assert status.data.result == SessionInfo(state=SessionState.CONNECTED)
    assert isinstance(updated, GroupUpdated)
    assert updated.data.what == ("name",)
    assert isinstance(shown, CommandSucceeded)
    assert shown.data.result == PrivacyInfo.model_validate({"settings": {"online": "all"}})


@pytest.mark.parametrize(
    "sent",
    [
        told("wa.session.status.v1", state="dreaming"),
        told("wa.message.received.v1", content={"kind": "hologram"}, message_id=""),
        told("wa.message.received.v1", content="hologram"),
    ],
    ids=["what has to be said", "another fault beside it", "no content at all"],
)
def test_what_cannot_be_said_is_refused(sent: bytes) -> None:
    """It goes where a person looks at it, and is not lost."""
    with pytest.raises(ValidationError):
        parse_known_event(sent)


def test_whoever_wants_this_version_only_is_told() -> None:
    """A reader may be strict."""
    sent = told("wa.message.received.v1", content={"kind": "hologram"})
    assert json.loads(sent)["data"]["content"]["kind"] == "hologram"
    with pytest.raises(ValidationError):
        parse_event(sent)
