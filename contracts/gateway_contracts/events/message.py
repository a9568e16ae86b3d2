"""Events of messages: what came in, and how far a message of ours got."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.content import Content
from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, MessageId, Timestamp
from gateway_contracts.origins import Forwarded, Referral
from gateway_contracts.people import Participant
from gateway_contracts.references import Quoted


class MessageData(ChatEventData):
    """A message as it stands in a chat."""

    message_id: MessageId
    chat: Jid = Field(description="The conversation: the other person's or the group's id.")
    sender: Participant
    is_group: bool = False
    timestamp: Timestamp = Field(description="WhatsApp's time of the message.")
    content: Content
    reply_to: Quoted | None = None
    forwarded: Forwarded | None = None
    disappearing_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="WhatsApp's apps delete it so long after it was sent."
    )
    album_id: MessageId | None = Field(
        None, description="The `album` that it is a part of: that message's id."
    )
    hd_of: MessageId | None = Field(
        None,
        description="It is the picture or the video of that message once more, in high definition: "
        "apps send both, and show one of them.",
    )
    comment_on: MessageId | None = Field(
        None,
        description="The announcement of a community that it is a comment on: that message's id. "
        "`reply_to` names it too, unless the comment quotes another message.",
    )
    referral: Referral | None = None
    server_id: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Of a post in a channel: its number there."
    )
    offline: bool = Field(
        default=False, description="It had waited at WhatsApp while the session was away."
    )
    recovered_after: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="It could not be read when it came first (`message.undecryptable` with the "
        "same `message_id`, of the same chat and sender), and its sender's device has sent it "
        "again; how often this device had asked for that. In that device's own word, which nobody "
        "verifies.",
    )
    client_ref: Annotated[str, PERSONAL] | None = Field(
        None,
        description="Only of a message that a command of this session has sent and another device "
        "of the account shows: what that command calls it.",
    )
    partial: bool = Field(
        default=False,
        description="Something that WhatsApp sent does not fit this contract. What is known is "
        "told: for a time that is none stands the time of its arrival here, for an id that is "
        "none one that begins with `invalid-` and is the same each time, a text that is too long "
        "is cut, and what cannot be read at all is `unsupported`.",
    )


class MessageReceived(SessionEventEnvelope):
    """Somebody wrote to the account."""

    type: Literal["wa.message.received.v1"] = "wa.message.received.v1"
    data: MessageData


class MessageSent(SessionEventEnvelope):
    """The account's owner wrote from the phone or another linked device.

    If another device shows a message that a command of this session has sent, `correlationid` is
    that command.
    """

    type: Literal["wa.message.sent.v1"] = "wa.message.sent.v1"
    data: MessageData


class ReceiptStatus(StrEnum):
    """How far a message of ours got. That it was sent is told by `command.succeeded`."""

    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


class MessageReceiptData(ChatEventData):
    """News of one message of ours."""

    message_id: MessageId
    chat: Jid
    status: ReceiptStatus
    participant: Participant = Field(description="Whose device or reading this is.")
    timestamp: Timestamp
    client_ref: Annotated[str, PERSONAL] | None = Field(
        None, description="`client_ref` of the command that sent the message, if it had one."
    )
    partial: bool = Field(
        default=False, description="As in `message.received`: something of it did not fit."
    )


class MessageReceipt(SessionEventEnvelope):
    """A message of ours was delivered, read or played.

    `correlationid` is the command that sent it.
    """

    type: Literal["wa.message.receipt.v1"] = "wa.message.receipt.v1"
    data: MessageReceiptData


class UndecryptableReason(StrEnum):
    """Why a message cannot be read."""

    OLD_COUNTER = "old_counter"
    UNDECRYPTABLE = "undecryptable"
    UNREADABLE = "unreadable"
    VIEW_ONCE = "view_once"


class MessageUndecryptableData(ChatEventData):
    """Which message it was, as far as that is known."""

    message_id: MessageId
    chat: Jid | None = None
    sender: Jid | None = None
    reason: UndecryptableReason = Field(
        description="`old_counter`: its key was used before, so it is a repeat of a message that "
        "was read, or one that was lost after its key was used. `undecryptable`: this device has "
        "no key for it; the sender's device may send it again. `unreadable`: it was decrypted, "
        "and the gateway could make nothing of it, not even who wrote; it is kept aside. "
        "`view_once`: WhatsApp shows it on the phone only, and never sends it to linked devices."
    )
    timestamp: Timestamp | None = Field(None, description="WhatsApp's time, if it is known.")


class MessageUndecryptable(SessionEventEnvelope):
    """Somebody wrote to the account and the message could not be read.

    It may still come later, when its sender's device has sent it again: as what it is, with the
    same `message_id` and with `recovered_after`.
    """

    type: Literal["wa.message.undecryptable.v1"] = "wa.message.undecryptable.v1"
    data: MessageUndecryptableData


class MessageFailureReason(StrEnum):
    """Why a message that was sent counts as failed."""

    UNDELIVERED = "undelivered"
    """Nobody's device has confirmed it within the gateway's patience."""


class MessageFailedData(ChatEventData):
    """Which message it is."""

    message_id: MessageId
    chat: Jid
    reason: MessageFailureReason
    sent_at: Timestamp
    client_ref: Annotated[str, PERSONAL] | None = Field(
        None, description="`client_ref` of the command that sent the message, if it had one."
    )


class MessageFailed(SessionEventEnvelope):
    """A message that WhatsApp has taken has not been delivered within the gateway's patience.

    It is told once, where the gateway is set up for it (`UNDELIVERED_SECONDS`). WhatsApp goes on
    trying: a `message.receipt` may still follow. `correlationid` is the command that sent it.
    """

    type: Literal["wa.message.failed.v1"] = "wa.message.failed.v1"
    data: MessageFailedData


ArrivingMessage = MessageReceived | MessageSent | MessageReceipt | MessageUndecryptable
"""Those of something that came from WhatsApp."""

MessageEvent = ArrivingMessage | MessageFailed
"""Every event of this family."""
