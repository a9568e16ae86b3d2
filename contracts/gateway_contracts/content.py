"""What a message carries, told apart by `kind`.

This version knows text; every other kind arrives as `unsupported`.
"""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.model import Jid, MessageId, Recipient, Text, WireModel


class TextToSend(WireModel):
    """A text message to send."""

    kind: Literal["text"] = "text"
    text: Annotated[Text, Field(min_length=1)] = Field(
        description="The text, at most 65,536 characters."
    )
    # At the first fault: a list of 100,000 of them would otherwise take seconds to explain.
    mentions: Annotated[tuple[Recipient, ...], FailFast()] = Field(
        (), max_length=256, description="People named with `@<number>` in the text."
    )


ContentToSend = Annotated[TextToSend, Field(description="What to send, told apart by `kind`.")]
"""The content of `message.send`."""


class TextContent(WireModel):
    """A text message as it arrived."""

    kind: Literal["text"] = "text"
    text: str
    mentions: tuple[Jid, ...] = ()


class UnsupportedContent(WireModel):
    """A message of a kind that this version does not describe. It is announced, never dropped."""

    kind: Literal["unsupported"] = "unsupported"
    message_type: str = Field(
        description="The library's name of the kind.", examples=["imageMessage"]
    )


Content = Annotated[TextContent | UnsupportedContent, Field(discriminator="kind")]
"""The content of `message.received` and `message.sent`."""


class ReplyTarget(WireModel):
    """The message that a reply quotes.

    Both values are those of the event that told of the message: `data.message_id` and
    `data.sender.jid` of its `message.received` (of one that the account itself has sent,
    `message_id` of its outcome or of `message.sent`, and the account's own id).
    """

    message_id: MessageId
    participant: Jid | None = Field(
        None,
        description="Who wrote it: `data.sender.jid` of its `message.received`. Needed only if "
        "the gateway has not seen the message, or does not have it any more.",
    )


class Quoted(WireModel):
    """The message that an arrived message quotes."""

    message_id: MessageId
    participant: Jid | None = None
