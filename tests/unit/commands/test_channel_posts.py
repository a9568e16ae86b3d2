"""What may be posted in a channel: it is refused before anything is fetched or sent."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway_contracts import ContentToSend, MessageSendData
from gateway_worker.commands.handlers.contents import check_channel
from gateway_worker.errors import UnsupportedError

CHANNEL = "120363000000000002@newsletter"
PERSON = "+4915550002"
TARGET = {"message_id": "3EB0AB"}
IMAGE = {"kind": "image", "media": {"source": "object", "key": "shared/a.jpg"}}


def data(content: dict[str, Any], *, to: str = CHANNEL, **fields: Any) -> MessageSendData:
    """Return what a command has."""
    read: ContentToSend = TypeAdapter(ContentToSend).validate_python(content)
    return MessageSendData(to=to, content=read, **fields)


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "text", "text": "news"},
        {"kind": "edit", "text": "better", "target": TARGET},
        {"kind": "revoke", "target": TARGET},
    ],
    ids=lambda content: content["kind"],
)
def test_what_a_channel_takes(content: dict[str, Any]) -> None:
    """Texts, and what changes them."""
    check_channel(data(content))


@pytest.mark.parametrize(
    "content",
    [
        IMAGE,
        {"kind": "text", "text": "@15550003", "mentions": ["+15550003"]},
        {"kind": "text", "text": "@all", "mention_all": True},
        {"kind": "reaction", "emoji": "+", "target": TARGET},
        {"kind": "location", "latitude": 1.0, "longitude": 2.0},
    ],
    ids=["image", "mention", "mention_all", "reaction", "location"],
)
def test_what_it_does_not_take(content: dict[str, Any]) -> None:
    """To people all of it may go."""
    with pytest.raises(UnsupportedError):
        check_channel(data(content))
    check_channel(data(content, to=PERSON))


def test_nobody_is_answered_there() -> None:
    """Posts stand for themselves."""
    with pytest.raises(UnsupportedError):
        check_channel(data({"kind": "text", "text": "news"}, reply_to=TARGET))
