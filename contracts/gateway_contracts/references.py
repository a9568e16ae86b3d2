"""References from one message to another."""

from pydantic import Field

from gateway_contracts.model import Jid, MessageId, WireModel


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
