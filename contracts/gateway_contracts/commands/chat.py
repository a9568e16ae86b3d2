"""Commands about chats: what has been read, what somebody sees of the account there, timers."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, FailFast, Field

from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import MessageId, PersonId, Recipient, WireModel, whole

TYPING_SECONDS = 25
"""For longer WhatsApp's apps show nothing that is not renewed."""


class ChatMarkReadData(WireModel):
    """What has been read."""

    chat: Recipient
    message_ids: Annotated[tuple[MessageId, ...], FailFast()] = Field(min_length=1, max_length=256)
    sender: PersonId | None = Field(
        None, description="In a group, who has written them: one command for each writer."
    )
    played: bool = Field(
        default=False, description="Of voice notes: they have been listened to, too."
    )
    typing_seconds: Annotated[int, Field(ge=0, le=TYPING_SECONDS), BeforeValidator(whole)] = Field(
        0, description="For how long it shows afterwards that the account writes; 0: not at all."
    )


class ChatMarkRead(CommandEnvelope):
    """Show that messages have been read, and perhaps that an answer is being written.

    Who has switched off read receipts on the phone marks them as read for the own devices only.
    """

    type: Literal["wa.chat.mark_read.v1"] = "wa.chat.mark_read.v1"
    data: ChatMarkReadData


class TypingState(StrEnum):
    """What somebody does in a chat."""

    TYPING = "typing"
    RECORDING = "recording"
    PAUSED = "paused"


class ChatTypingData(WireModel):
    """What is shown, and where."""

    chat: Recipient
    state: TypingState
    seconds: Annotated[int, Field(ge=1, le=TYPING_SECONDS), BeforeValidator(whole)] | None = Field(
        None,
        description="After how long it shows `paused`. Without it the apps stop showing it by "
        "themselves, after about 25 seconds.",
    )


class ChatTyping(CommandEnvelope):
    """Show in a chat that the account writes or records, or has stopped. A message ends it too."""

    type: Literal["wa.chat.typing.v1"] = "wa.chat.typing.v1"
    data: ChatTypingData


class ChatSetTimerData(WireModel):
    """After how long messages disappear, and where."""

    chat: Recipient | None = Field(
        None, description="The chat; absent, the account's setting for new chats."
    )
    seconds: Annotated[Literal[0, 86_400, 604_800, 7_776_000], BeforeValidator(whole)] = Field(
        description="A day, a week or 90 days, as WhatsApp's apps have it; 0: they stay."
    )


class ChatSetTimer(CommandEnvelope):
    """Set after how long the messages of a chat disappear, for everybody in it.

    What is sent there afterwards says the same. In a group the account has to be allowed to.
    """

    type: Literal["wa.chat.set_timer.v1"] = "wa.chat.set_timer.v1"
    data: ChatSetTimerData


ChatCommand = ChatMarkRead | ChatTyping | ChatSetTimer
"""Every command of this family."""

ChatResult = Done
"""What they return."""
