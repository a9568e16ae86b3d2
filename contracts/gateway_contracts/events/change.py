"""Events of what is about another message, or about the chat: they are no messages to be shown.

Each has the one kind of content that it is named after. On the way they are messages, with an id of
their own, and `message.sent` and `message.received` in one: `from_me` tells which.
"""

from typing import Literal

from pydantic import Field

from gateway_contracts.content.edit import EditContent
from gateway_contracts.content.event_response import EventResponseContent
from gateway_contracts.content.keep import KeepContent
from gateway_contracts.content.pin import PinContent
from gateway_contracts.content.poll_vote import PollVoteContent
from gateway_contracts.content.reaction import ReactionContent
from gateway_contracts.content.revoke import RevokeContent
from gateway_contracts.content.timer import TimerContent
from gateway_contracts.envelope import SessionEventEnvelope
from gateway_contracts.events.message import MessageData


class ChangeData(MessageData):
    """What changes something, as it stands in a chat."""

    from_me: bool = Field(
        description="The account's owner did it, on the phone or on another linked device."
    )


class MessageEditedData(ChangeData):
    """A message's new text, or what an appointment or a poll says from now on."""

    content: EditContent


class MessageEdited(SessionEventEnvelope):
    """The writer of a message has changed it: its text or caption, an appointment or a poll."""

    type: Literal["wa.message.edited.v1"] = "wa.message.edited.v1"
    data: MessageEditedData


class MessageRevokedData(ChangeData):
    """A message that is gone. Who claims to have written it is `content.target.participant`."""

    content: RevokeContent


class MessageRevoked(SessionEventEnvelope):
    """A message was deleted for everyone, by `sender`: its writer, or in a group an admin."""

    type: Literal["wa.message.revoked.v1"] = "wa.message.revoked.v1"
    data: MessageRevokedData


class MessageReactionData(ChangeData):
    """An emoji beside a message, or none any more."""

    content: ReactionContent


class MessageReaction(SessionEventEnvelope):
    """Somebody has reacted to a message, or taken the reaction back."""

    type: Literal["wa.message.reaction.v1"] = "wa.message.reaction.v1"
    data: MessageReactionData


class PollVoteData(ChangeData):
    """A vote in a poll."""

    content: PollVoteContent


class PollVote(SessionEventEnvelope):
    """Somebody has voted in a poll, or taken the vote back."""

    type: Literal["wa.poll.vote.v1"] = "wa.poll.vote.v1"
    data: PollVoteData


class EventResponseData(ChangeData):
    """An answer to an appointment."""

    content: EventResponseContent


class EventResponse(SessionEventEnvelope):
    """Somebody has said whether they come to an appointment (`event`)."""

    type: Literal["wa.event.response.v1"] = "wa.event.response.v1"
    data: EventResponseData


class MessagePinnedData(ChangeData):
    """A message at the top of its chat, or no more."""

    content: PinContent


class MessagePinned(SessionEventEnvelope):
    """Somebody has pinned a message for everybody in the chat, or taken it down."""

    type: Literal["wa.message.pinned.v1"] = "wa.message.pinned.v1"
    data: MessagePinnedData


class MessageKeptData(ChangeData):
    """A message that stays although it was to disappear, or goes after all."""

    content: KeepContent


class MessageKept(SessionEventEnvelope):
    """Somebody has kept a disappearing message for everybody in the chat, or let it go."""

    type: Literal["wa.message.kept.v1"] = "wa.message.kept.v1"
    data: MessageKeptData


class ChatTimerChangedData(ChangeData):
    """When a chat's messages disappear."""

    content: TimerContent


class ChatTimerChanged(SessionEventEnvelope):
    """Somebody has set when the chat's messages disappear.

    What the gateway sends there obeys it from then on.
    """

    type: Literal["wa.chat.timer_changed.v1"] = "wa.chat.timer_changed.v1"
    data: ChatTimerChangedData


ChangeEvent = (
    MessageEdited
    | MessageRevoked
    | MessageReaction
    | PollVote
    | EventResponse
    | MessagePinned
    | MessageKept
    | ChatTimerChanged
)
"""Every event of this family."""
