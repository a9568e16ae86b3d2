"""The event of what was written before the account was linked, which its phone sends once."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.content import Content
from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.events.message import ReceiptStatus
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, MessageId, Timestamp, WireModel
from gateway_contracts.origins import Forwarded, Referral
from gateway_contracts.people import Participant
from gateway_contracts.references import Quoted

MOST_HISTORY_MESSAGES = 100
"""How many messages one event has."""


class HistoryKind(StrEnum):
    """What of the history a phone sends."""

    BOOTSTRAP = "bootstrap"
    """The last messages of each chat, at once after linking."""
    RECENT = "recent"
    """The last months, part by part."""
    FULL = "full"
    """All that there is, part by part."""
    ON_DEMAND = "on_demand"
    OTHER = "other"
    """Something that has no name here."""


class HistoryMessage(WireModel):
    """A message that was written before; what is not said here is as in `message.received`."""

    message_id: MessageId
    from_me: bool = Field(description="The account itself wrote it.")
    sender: Participant
    timestamp: Timestamp = Field(description="WhatsApp's time of the message.")
    content: Content = Field(description="A file is told, and not fetched: its `state` is `off`.")
    status: ReceiptStatus | None = Field(
        None, description="Of one of the account's own: how far it got, as far as the phone says."
    )
    reply_to: Quoted | None = None
    forwarded: Forwarded | None = None
    disappearing_seconds: Annotated[int, Field(ge=1)] | None = None
    album_id: MessageId | None = None
    comment_on: MessageId | None = None
    referral: Referral | None = None
    partial: bool = Field(
        default=False, description="As in `message.received`: something of it did not fit."
    )


class HistoryMessagesData(ChatEventData):
    """A page of one chat."""

    kind: HistoryKind
    chat: Jid | None = Field(
        None,
        description="The conversation: the other person's or the group's id. Absent where a kind "
        "ends with nothing to tell.",
    )
    chat_name: Annotated[str, PERSONAL] | None = Field(
        None, description="What the phone calls it: a contact's or the group's name."
    )
    is_group: bool = False
    messages: Annotated[tuple[HistoryMessage, ...], Field(max_length=MOST_HISTORY_MESSAGES)] = (
        Field((), description="At most 100, in the phone's order: the newest first.")
    )
    read_until: Timestamp | None = Field(
        None,
        description="What others wrote up to then has been read on the phone. With the first page "
        "of a chat only, and if the phone says so.",
    )
    progress: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="How much of this kind the phone has sent by now, in percent."
    )
    exhausted: bool = Field(
        default=False,
        description="The last page of this chat, of which the phone has nothing older.",
    )
    finished: bool = Field(
        default=False, description="The last page of all that the phone sends of this kind."
    )


class HistoryMessages(SessionEventEnvelope):
    """Messages from before the account was linked, of a session whose `history` is not `off`.

    Told beside what arrives, never before it, and stored: `message.history` and `chat.list` have
    them, `analytics.*` does not count them. A page that is read again is not told again.
    """

    type: Literal["wa.history.messages.v1"] = "wa.history.messages.v1"
    data: HistoryMessagesData


HistoryEvent = HistoryMessages
"""Every event of this family."""
