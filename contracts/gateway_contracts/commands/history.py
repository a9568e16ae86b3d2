"""Commands that ask what the gateway has stored: messages, chats and people, and what they return.

Nothing is asked of WhatsApp: they are answered from the database, whether the session is connected
or not. Their results are not stored: a repeat is answered anew.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.content import Content
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.errors import ErrorBody
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import (
    KIND_PATTERN,
    ClientRef,
    CommandId,
    Jid,
    MessageId,
    OneOfModel,
    PageCursor,
    PageLimit,
    Timestamp,
    WireModel,
)

KindName = Annotated[str, Field(pattern=KIND_PATTERN)]
"""A kind of content: `content.kind`."""

NextCursor = Annotated[
    PageCursor | None,
    Field(
        description="Goes into the next command of the same kind, for what follows; absent at "
        "the end."
    ),
]


class MessageDirection(StrEnum):
    """Which way a message went."""

    IN = "in"
    OUT = "out"


class PageOrder(StrEnum):
    """From which end a history is read."""

    NEWEST = "newest"
    OLDEST = "oldest"


class MessageHistoryData(WireModel):
    """Which messages are wanted; all that is given has to be true of them."""

    chat: Jid | None = Field(
        None,
        description="The conversation, by any of its ids or its number. Its messages come in the "
        "order of WhatsApp's time. Without it those of all chats come in the order in which the "
        "gateway has stored them, so that whoever goes on from the last cursor misses none that "
        "came late.",
    )
    direction: MessageDirection | None = None
    kinds: Annotated[tuple[KindName, ...], FailFast(), Field(max_length=32)] = Field(
        (), description="Kinds of content; none means all."
    )
    since: Timestamp | None = Field(
        None, description="The earliest moment, of what the order goes by."
    )
    until: Timestamp | None = Field(
        None, description="The latest moment, of what the order goes by."
    )
    order: PageOrder = PageOrder.NEWEST
    limit: PageLimit = 50
    cursor: PageCursor | None = Field(
        None, description="`next_cursor` of the page before; all else has to be the same."
    )


class MessageHistory(CommandEnvelope):
    """Read a page of the messages that the gateway has stored.

    What changes a message (an edit, a deletion, a reaction) is a message of its own.
    """

    type: Literal["wa.message.history.v1"] = "wa.message.history.v1"
    data: MessageHistoryData = Field(default_factory=MessageHistoryData)


class MessageState(StrEnum):
    """How far a message of the account's own got, as far as the gateway has heard."""

    UNCERTAIN = "uncertain"
    """Nobody knows whether it was sent."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


class StoredMessage(WireModel):
    """A message as it is stored."""

    message_id: MessageId
    chat: Jid = Field(description="As in `message.received`.")
    chat_id: Jid = Field(description="As in `message.received`.")
    direction: MessageDirection
    sender: Jid
    timestamp: Timestamp = Field(description="WhatsApp's time of the message.")
    stored_at: Timestamp = Field(description="When the gateway stored it.")
    content: Content = Field(
        description="A file is told as it stands now, without links to it: `media.get` gives one."
    )
    state: MessageState | None = Field(
        None, description="Of one of the account's own; in a group of whoever got it farthest."
    )
    command_id: CommandId | None = Field(None, description="The command that sent it.")
    client_ref: Annotated[str, PERSONAL] | None = Field(
        None, description="What that command calls it."
    )


class MessagePage(WireModel):
    """A page of messages. It may have fewer than were asked for, or none, and go on all the same.

    Of what is filtered by direction or kind a limited number is looked through for each page.
    """

    kind: Literal["messages"] = "messages"
    messages: tuple[StoredMessage, ...]
    next_cursor: NextCursor = None


class MessageStatusData(OneOfModel):
    """Which message is meant: exactly one of the three."""

    one_of = ("message_id", "client_ref", "command_id")

    message_id: MessageId | None = Field(
        None, description="Unique within its chat only: several messages may have it."
    )
    client_ref: ClientRef | None = Field(
        None, description="What commands call it; those of the last 30 days are known."
    )
    command_id: CommandId | None = Field(None, description="The command that sends it.")


class MessageStatus(CommandEnvelope):
    """Ask how far a message has got."""

    type: Literal["wa.message.status.v1"] = "wa.message.status.v1"
    data: MessageStatusData


class SendState(StrEnum):
    """How far a command has come."""

    WAITING = "waiting"
    """It has been begun, had no effect yet, and waits; or it is scheduled, and not known by its
    `client_ref` before its time."""
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class SendInfo(WireModel):
    """A command that sends a message."""

    command_id: CommandId
    state: SendState
    client_ref: Annotated[str, PERSONAL] | None = None
    received_at: Timestamp = Field(
        description="When it was first taken up; of a scheduled one, its time."
    )
    finished_at: Timestamp | None = None
    error: ErrorBody | None = Field(None, description="Of one that has failed or is uncertain.")


class PersonReceipt(WireModel):
    """How far a message got with one person."""

    participant: Jid
    delivered_at: Timestamp | None = None
    read_at: Timestamp | None = None
    played_at: Timestamp | None = None


class MessageProgress(WireModel):
    """A message, and how far it got."""

    message_id: MessageId
    chat: Jid
    chat_id: Jid
    direction: MessageDirection
    timestamp: Timestamp
    state: MessageState | None = Field(None, description="Of one of the account's own.")
    command_id: CommandId | None = None
    client_ref: Annotated[str, PERSONAL] | None = None
    receipts: tuple[PersonReceipt, ...] = Field(
        (), description="The latest 500 people that have confirmed it."
    )
    people: Annotated[int, Field(ge=0)] = Field(
        0, description="How many people have confirmed it in all."
    )


class MessageStatusInfo(WireModel):
    """What is known of a message: nothing if both are empty.

    A command that is still on its way to the worker, or behind others of its session, is not known.
    """

    kind: Literal["message_status"] = "message_status"
    commands: tuple[SendInfo, ...] = ()
    messages: tuple[MessageProgress, ...] = ()


class ChatListData(WireModel):
    """Which page is wanted."""

    limit: PageLimit = 50
    cursor: PageCursor | None = None


class ChatList(CommandEnvelope):
    """List the chats that the session has messages of, the one with the newest message first."""

    type: Literal["wa.chat.list.v1"] = "wa.chat.list.v1"
    data: ChatListData = Field(default_factory=ChatListData)


class ChatSummary(WireModel):
    """A chat and its newest message."""

    chat_id: Jid
    ids: tuple[Jid, ...] = Field(description="The ids under which its messages are stored.")
    is_group: bool
    last_message: StoredMessage
    unread: Annotated[int, Field(ge=0, le=100)] = Field(
        description="Messages of others, changes not counted, since what was last marked as read, "
        "by `chat.mark_read` or by the owner on another device; 100 stands for more, too. The "
        "chat's newest 300 messages are looked at."
    )


class ChatPage(WireModel):
    """A page of chats."""

    kind: Literal["chats"] = "chats"
    chats: tuple[ChatSummary, ...]
    next_cursor: NextCursor = None


class ContactListData(WireModel):
    """Which page is wanted."""

    limit: PageLimit = 50
    cursor: PageCursor | None = None


class ContactList(CommandEnvelope):
    """List the people with whom the session has exchanged messages, in the order of their ids."""

    type: Literal["wa.contact.list.v1"] = "wa.contact.list.v1"
    data: ContactListData = Field(default_factory=ContactListData)


class MetContact(WireModel):
    """Somebody with whom the session has exchanged messages."""

    chat_id: Jid
    ids: tuple[Jid, ...] = Field(
        description="The ids by which messages have come or gone, also a number in the way in "
        "which a command has written it."
    )
    since: Timestamp = Field(description="When the first of them was stored.")
    push_name: Annotated[str, PERSONAL] | None = Field(
        None,
        description="What the person calls itself. Names are those that the session's own "
        "device has stored: none while no worker runs the session.",
    )
    full_name: Annotated[str, PERSONAL] | None = Field(
        None, description="What the owner's address book calls the person."
    )
    business_name: Annotated[str, PERSONAL] | None = None


class ContactPage(WireModel):
    """A page of people."""

    kind: Literal["people"] = "people"
    people: tuple[MetContact, ...]
    next_cursor: NextCursor = None


HistoryCommand = MessageHistory | MessageStatus | ChatList | ContactList
"""Every command of this family."""

HistoryResult = MessagePage | MessageStatusInfo | ChatPage | ContactPage
"""What they return."""
