"""Events of people's presence: who is there, and who is writing. They are worth a moment only."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.commands.chat import TypingState
from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.model import Jid, Timestamp
from gateway_contracts.people import Participant, PresenceState


class PresenceChangedData(ChatEventData):
    """Who is there, or no longer."""

    chat: Jid = Field(description="The conversation with them.")
    contact: Participant
    state: PresenceState
    last_seen: Timestamp | None = Field(
        None, description="Of somebody who is away, when they were last there, if they show it."
    )


class PresenceChanged(SessionEventEnvelope):
    """Somebody whom `presence.subscribe` names has come or gone.

    It is published at most once: when it would come late it is dropped.
    """

    type: Literal["wa.presence.changed.v1"] = "wa.presence.changed.v1"
    data: PresenceChangedData


class PresenceTypingData(ChatEventData):
    """Who does what in a chat."""

    chat: Jid = Field(description="The conversation: the other's or the group's id.")
    contact: Participant
    state: TypingState
    is_group: Annotated[bool, Field(description="Whether the conversation is a group.")] = False


class PresenceTyping(SessionEventEnvelope):
    """Somebody writes or records in a chat, or has stopped.

    Told if the session's setting `presence` has `typing`. WhatsApp tells it to accounts that are
    `available` only. It is published at most once: when it would come late it is dropped.
    """

    type: Literal["wa.presence.typing.v1"] = "wa.presence.typing.v1"
    data: PresenceTypingData


PresenceEvent = PresenceChanged | PresenceTyping
"""Every event of this family."""
