"""What may be said, and about what."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway_contracts import Content, EditContent, PollVoteToSend
from gateway_worker.commands.features import DEFAULT, Feature
from gateway_worker.commands.handlers.contents import (
    check_target,
    forwardable,
    mentions_all,
    now,
)
from gateway_worker.commands.handlers.targets import Target
from gateway_worker.errors import InvalidCommandError, UnsupportedError
from gateway_worker.sessions.changes import Direction, MessageRow

CHAT = "4915550002@s.whatsapp.net"


def stored(content: dict[str, Any]) -> MessageRow:
    """Return a message of somebody as the history has it."""
    return MessageRow(
        chat=CHAT,
        message_id="3EB0AB",
        direction=Direction.IN,
        sender=CHAT,
        content=TypeAdapter(Content).validate_python(content),
        timestamp=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"kind": "event", "name": "Sale"},
            {"text": "Sales", "event": {"kind": "event", "name": "Sales", "canceled": True}},
        ),
        (
            {"kind": "poll", "question": "When?", "options": ["now", "later"]},
            {
                "text": "Where?",
                "poll": {"kind": "poll", "question": "Where?", "options": ["here"]},
            },
        ),
    ],
    ids=["event", "poll"],
)
def test_what_is_edited_as_a_whole(content: dict[str, Any], told: dict[str, Any]) -> None:
    """A reply quotes what it says now; an edit of another kind changes nothing."""
    row = stored(content)
    target = {"message_id": row.message_id, "chat": CHAT}
    whole = {"kind": "edit", "target": target, **told}
    text = {"kind": "edit", "target": target, "text": "else"}
    edits = [TypeAdapter(EditContent).validate_python(one) for one in (whole, text)]

    said = [now(dataclasses.replace(row, change=edit)) for edit in edits]

    assert said == [edits[0].event or edits[0].poll, row.content]


def vote(chosen: tuple[str, ...], *, selectable: int) -> None:
    """Check a vote in a poll that takes so many answers."""
    row = stored(
        {
            "kind": "poll",
            "question": "When?",
            "options": ("at eight", "at nine", "at ten"),
            "selectable_count": selectable,
        }
    )
    target = Target(message_id="3EB0AB", participant=CHAT, from_me=False, row=row)
    named: Any = {"message_id": "3EB0AB"}
    check_target(PollVoteToSend(target=named, options=chosen), target)


@pytest.mark.parametrize(
    ("chosen", "selectable"),
    [
        ((), 1),
        (("at nine",), 1),
        (("at nine", "at nine"), 1),
        (("at eight", "at nine"), 0),
        (("at eight", "at nine"), 2),
    ],
)
def test_votes_that_a_poll_takes(chosen: tuple[str, ...], selectable: int) -> None:
    """None, as many as there may be, or any number of them."""
    vote(chosen, selectable=selectable)


@pytest.mark.parametrize(
    ("chosen", "selectable"),
    [
        (("at eight", "at nine"), 1),
        (("at eight", "at nine", "at ten"), 2),
        (("never",), 0),
    ],
)
def test_votes_that_no_app_would_count(chosen: tuple[str, ...], selectable: int) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(InvalidCommandError) as refused:
        vote(chosen, selectable=selectable)
    assert refused.value.pointer == "/data/content/options"


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "poll", "question": "When?", "options": ("now", "later")},
        {"kind": "album", "images": 2},
        {"kind": "unsupported", "message_type": "hologramMessage"},
        {"kind": "interactive_reply", "form": "buttons", "id": "yes", "title": "Yes"},
    ],
    ids=lambda content: content["kind"],
)
def test_what_is_not_forwarded(content: dict[str, Any]) -> None:
    """What belongs to its chat, is nothing without what follows, or cannot be sent at all."""
    with pytest.raises(InvalidCommandError) as refused:
        forwardable(stored(content), frozenset(Feature))
    assert refused.value.pointer == "/data/content/message"


@pytest.mark.parametrize("kind", ["buttons", "list_menu"])
def test_what_is_switched_off_is_not_forwarded_either(kind: str) -> None:
    """A forward sends what is forwarded."""
    row = stored({"kind": kind, "text": "What next?"})

    assert forwardable(row, frozenset(Feature)) == row.content
    with pytest.raises(UnsupportedError):
        forwardable(row, DEFAULT)


def test_everybody_is_named_in_groups_only() -> None:
    """Elsewhere there is nobody else."""
    content = {"kind": "text", "text": "@all", "mention_all": True}

    assert mentions_all("120363025550100001@g.us", content)
    assert "mention_all" not in content
    assert not mentions_all("+15550100002", {"mention_all": False})
    with pytest.raises(InvalidCommandError) as refused:
        mentions_all("+15550100002", {"mention_all": True})
    assert refused.value.pointer == "/data/content/mention_all"
