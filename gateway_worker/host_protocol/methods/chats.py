"""Chats: what has been read there, what is shown of the account, and when messages disappear."""

from typing import Final

from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer

GESTURE_SECONDS: Final = 15.0
"""What is shown later than that, nobody wants to see."""
TYPING: Final = "typing"
RECORDING: Final = "recording"
PAUSED: Final = "paused"


class InChat(Answer, frozen=True, kw_only=True, tag="in_chat"):
    """It is done; `chat` is the id of the chat, as WhatsApp spells it."""

    chat: str


class MarkRead(Method[InChat], frozen=True, kw_only=True, tag="chat.mark_read"):
    """Tell that messages have been read.

    Attributes:
        chat: A phone number or a JID.
        message_ids: The messages, of one writer.
        sender: In a group, that writer.
        is_played: Whether they are voice notes that have been listened to.
        typing_seconds: For how long it is shown afterwards that the account writes.
    """

    result = InChat
    effect = Effect.IDEMPOTENT
    lane = HostLane.GESTURE
    when_late = WhenLate.LEAVE
    timeout_seconds = GESTURE_SECONDS

    chat: str
    message_ids: tuple[str, ...]
    sender: str | None = None
    is_played: bool = False
    typing_seconds: int = 0


class ShowTyping(Method[Done], frozen=True, kw_only=True, tag="chat.typing"):
    """Show in a chat that the account writes, records, or has stopped.

    Attributes:
        chat: A phone number or a JID.
        state: `TYPING`, `RECORDING` or `PAUSED`.
        seconds: After how long it has stopped; None: the others' apps decide.
    """

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.GESTURE
    when_late = WhenLate.LEAVE
    timeout_seconds = GESTURE_SECONDS

    chat: str
    state: str
    seconds: int | None = None


class SetTimer(Method[InChat], frozen=True, kw_only=True, tag="chat.set_timer"):
    """Set when the messages of a chat disappear.

    Attributes:
        chat: A phone number or a JID.
        seconds: After how long; 0: never.
    """

    result = InChat
    effect = Effect.IDEMPOTENT
    lane = HostLane.ORDERED  # to a person it is a message
    when_late = WhenLate.CUT

    chat: str
    seconds: int


class SetDefaultTimer(Method[Done], frozen=True, kw_only=True, tag="chat.set_default_timer"):
    """Set when the messages of the account's new chats disappear, in seconds; 0: never."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = GESTURE_SECONDS

    seconds: int


ChatCall = MarkRead | ShowTyping | SetTimer | SetDefaultTimer
"""Every method of this family."""

ChatAnswer = InChat
"""What they are answered with, if not with `Done`."""
