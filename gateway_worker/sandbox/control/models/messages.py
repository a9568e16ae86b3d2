"""What phones write: messages of every kind, and what confirms them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway_worker.sandbox.control.models.base import Body


class NewMessage(Body):
    """Send a text; see `Phone.send_text`."""

    to: str
    text: str
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()


class NewContent(Body):
    """Send content of any kind; see `Phone.send_content`."""

    to: str
    content: dict[str, Any] = Field(description="the library's `Message` as protojson")
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()


class ContentView(Body):
    """What is in a message that a phone sent or got, whatever its kind."""

    message_id: str
    kind: str
    content: dict[str, Any] = Field(description="the library's `Message` as protojson")


class Emoji(Body):
    """A reaction; empty takes it back."""

    emoji: str


class NewPoll(Body):
    """Ask a question with answers to choose from; see `Phone.send_poll`."""

    to: str
    question: str
    options: tuple[str, ...] = Field(min_length=1)
    selectable_count: int = Field(1, ge=0, description="how many one may choose; 0: any number")


class Choice(Body):
    """What is chosen in a poll; nothing if the vote was taken back."""

    options: tuple[str, ...]


class EventAnswer(Body):
    """Whether the account comes to an appointment; see `Phone.answer_event`."""

    response: str = Field(description="`GOING`, `NOT_GOING` or `MAYBE`")
    extra_guests: int = Field(0, ge=0)


class Secrets(Body):
    """Whether each message gets a secret from now on; see `Phone.give_secrets`."""

    given: bool


class NewText(Body):
    """The text that replaces an earlier one."""

    text: str


class Sent(Body):
    """What became of a message."""

    message_id: str


class MessageIds(Body):
    """Messages to be confirmed."""

    message_ids: tuple[str, ...] = Field(min_length=1)
