"""References from one message to another."""

from typing import Annotated

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, MessageId, OtherChat, WireModel


class MessageTarget(WireModel):
    """The message that something to send is about. It is in the chat that this goes to."""

    message_id: MessageId = Field(
        description="`data.message_id` of the event that told of the message; of one that the "
        "account itself has sent, `message_id` of its outcome or of its `message.sent`."
    )
    participant: Jid | None = Field(
        None,
        description="Who wrote it: `data.sender.jid` of its `message.received`, or the account's "
        "own id. Needed only if the gateway has not seen the message, or does not have it any "
        "more.",
    )


class ReplyTarget(MessageTarget):
    """The message that a reply quotes."""

    chat: OtherChat | None = Field(
        None,
        description="Where it is, if that is not the chat that the reply goes to, which is one "
        "with a person then: a group, a member of which is answered in private, or "
        "`status@broadcast`, of which a post is answered.",
    )


class MessageReference(WireModel):
    """The message that something which arrived is about, as its sender names it.

    Nobody checks that: a stranger may name a message that never was, or one of somebody else's.
    """

    message_id: MessageId
    chat: Jid = Field(description="The conversation that it stands in.")
    participant: Jid | None = Field(None, description="Who wrote it, if that is known.")
    from_me: bool = Field(default=False, description="The account itself wrote it.")


class Quoted(WireModel):
    """The message that an arrived message quotes, as its sender shows it.

    Nobody checks that: a stranger may quote what was never written.
    """

    message_id: MessageId
    participant: Jid | None = Field(None, description="Who wrote it.")
    from_me: bool = Field(default=False, description="The account itself wrote it.")
    chat: Jid | None = Field(
        None,
        description="The conversation that it stands in, where the sender's app names one that is "
        "not between two people: a group, of which a member is answered in private, or "
        "`status@broadcast`, of which a post is answered. Absent, it is this one.",
    )
    kind: str | None = Field(
        None, description="What it is, as `content.kind`; absent if nothing of it is quoted."
    )
    text: Annotated[str, PERSONAL] | None = Field(
        None,
        description="What it says, at most 4,096 characters of it: its text or caption, a poll's "
        "question, or what else names it.",
    )
