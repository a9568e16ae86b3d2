"""Events of chats themselves."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import ChatEventData, SessionEventData, SessionEventEnvelope
from gateway_contracts.model import Jid, MessageId, Timestamp


class ChatMergedData(SessionEventData):
    """Which two conversations are one."""

    chat_id: Jid = Field(description="What both are called from now on.")
    merged_chat_id: Jid = Field(description="What the other one was called until now.")
    chat: Jid = Field(description="The id of the message that has shown it.")
    chat_lid: Jid = Field(description="The person's LID.")


class ChatMerged(SessionEventEnvelope):
    """Two conversations have turned out to be with the same person.

    It comes right before the event that has shown it. What was told under `merged_chat_id` belongs
    to `chat_id`; no later event has `merged_chat_id` as its `chat_id`.
    """

    type: Literal["wa.chat.merged.v1"] = "wa.chat.merged.v1"
    data: ChatMergedData


class ChatReadData(ChatEventData):
    """What the owner has read."""

    chat: Jid
    message_ids: Annotated[tuple[MessageId, ...], Field(min_length=1)] = Field(
        description="Messages of others that were read, and with them all before them."
    )
    timestamp: Timestamp


class ChatRead(SessionEventEnvelope):
    """The account's owner has read messages of a chat on the phone or another linked device."""

    type: Literal["wa.chat.read.v1"] = "wa.chat.read.v1"
    data: ChatReadData


ChatEvent = ChatMerged | ChatRead
"""Every event of this family."""
