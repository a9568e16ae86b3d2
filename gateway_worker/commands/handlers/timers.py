"""After how long what is sent to a chat disappears."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway_worker.commands.handlers.effect import Context
from gateway_worker.host_protocol.methods.groups import ReadGroup
from gateway_worker.host_protocol.methods.messages import FindChats
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import TimerRow
from gateway_worker.sessions.chats import chat_of, is_group, is_person
from gateway_worker.sessions.session.session import Session

_CLOCKS: Final = timedelta(minutes=5)
"""By so much WhatsApp's clock may be behind; what is told after an answer is to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTimer:
    """What a chat is set to.

    Attributes:
        seconds: After how long its messages disappear; None: they stay.
        asked: What WhatsApp was just asked for; kept, so that nobody asks again.
    """

    seconds: int | None = None
    asked: TimerRow | None = None


async def chat_timer(context: Context, session: Session, to: str) -> ChatTimer:
    """Return what a recipient's chat is set to.

    Args:
        context: What handlers work with.
        session: Who sends.
        to: The recipient.

    Raises:
        GatewayError: The session is not connected, so that nothing is read for it either.
    """
    timers = session.timers
    if not timers.is_loaded:
        session.check_connected()
        found = await until_answered(
            lambda: context.messages.timers(session.session_id), name="messages.timers"
        )
        timers.load(found)
    if is_group(to):
        return await _of_group(context, session, to)
    if not timers:  # most sessions have none, and ask nobody
        return ChatTimer()
    seconds = timers.seconds((chat_of(to),))
    if seconds is None and is_person(to):  # it may be known by the person's other id
        seconds = timers.seconds((await session.request(FindChats(to=to))).chats)
    return ChatTimer(seconds=seconds or None)


async def _of_group(context: Context, session: Session, group: str) -> ChatTimer:
    """Return what a group is set to; of one that nothing was ever heard of WhatsApp is asked."""
    timers, chat = session.timers, chat_of(group)
    seconds = timers.seconds((chat,))
    if seconds is not None:
        return ChatTimer(seconds=seconds or None)
    call = ReadGroup(group=chat, first=0, most=0)
    answer = await session.request(call, seconds=context.seconds_left())
    seconds = answer.data["group"].get("disappearing_seconds", 0)
    row = TimerRow(chat=chat, seconds=seconds, set_at=datetime.now(UTC) - _CLOCKS)
    timers.note(row)
    return ChatTimer(seconds=seconds or None, asked=row)
