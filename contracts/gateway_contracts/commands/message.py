"""Commands that send to a chat, and what they return."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.content import ContentToSend
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import ClientRef, Destination, Jid, MessageId, Timestamp, WireModel
from gateway_contracts.references import ReplyTarget


class OnUncertain(StrEnum):
    """What to do with a send whose first attempt may or may not have reached WhatsApp."""

    FAIL = "fail"
    RESEND = "resend"


class MessageSendData(WireModel):
    """A message and whom it goes to."""

    to: Destination = Field(
        description="Of a channel, which must be one that the account may post in, it takes `text`,"
        " and `edit` and `revoke` of what was posted."
    )
    content: ContentToSend
    reply_to: ReplyTarget | None = None
    album_id: MessageId | None = Field(
        None, description="The `album` of the same chat that it is a part of: that message's id."
    )
    client_ref: ClientRef | None = Field(
        None,
        description="Comes back in the command's outcome and in the message's receipts.",
    )
    on_uncertain: OnUncertain = Field(
        OnUncertain.FAIL,
        description="`fail` reports `uncertain` and never sends twice; `resend` may send twice.",
    )
    scheduled_at: Timestamp | None = Field(
        None,
        description="When it is to be sent, at most 90 days ahead. `command.scheduled` says at "
        "once that the gateway has it; the outcome follows when it was sent. A time that has "
        "passed is now.",
    )


class MessageSend(CommandEnvelope):
    """Send one message. Succeeds when WhatsApp's server has taken it."""

    type: Literal["wa.message.send.v1"] = "wa.message.send.v1"
    data: MessageSendData


class SentInfo(WireModel):
    """WhatsApp's server took the message, for at least one device of the recipient."""

    kind: Literal["message"] = "message"
    message_id: MessageId
    chat: Jid = Field(
        description="The conversation under WhatsApp's own id for it: where a number is written in "
        "two ways, it may differ from `to`."
    )
    chat_lid: Jid | None = Field(None, description="The recipient's LID, if it is a person's.")
    timestamp: Timestamp
    server_id: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Of a post in a channel: its number there."
    )
    devices_left_out: Annotated[int, Field(ge=0)] = Field(
        0,
        description="How many devices of the recipients the message could not be encrypted for; "
        "they do not show it, in a group not before they have asked for its key.",
    )


MessageCommand = MessageSend
"""Every command of this family."""

MessageResult = SentInfo
"""What they return."""
