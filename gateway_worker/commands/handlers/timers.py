"""After how long what is sent to a chat disappears."""

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


async def disappearing_seconds(context: Context, session: Session, to: str) -> int | None:
    """Return what a recipient's chat is set to; None if its messages stay.

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
        return await _seconds_of_group(context, session, to)
    if not timers:  # most sessions have none, and ask nobody
        return None
    seconds = timers.seconds((chat_of(to),))
    if seconds is None and is_person(to):  # it may be known by the person's other id
        seconds = timers.seconds((await session.request(FindChats(to=to))).chats)
    return seconds or None


async def _seconds_of_group(context: Context, session: Session, group: str) -> int | None:
    """Return what a group is set to; of one that nothing was ever heard of WhatsApp is asked."""
    timers, chat = session.timers, chat_of(group)
    seconds = timers.seconds((chat,))
    if seconds is None:
        call = ReadGroup(group=chat, first=0, most=0)
        answer = await session.request(call, seconds=context.seconds_left())
        seconds = answer.data["group"].get("disappearing_seconds", 0)
        timers.note(TimerRow(chat=chat, seconds=seconds, set_at=datetime.now(UTC) - _CLOCKS))
    return seconds or None
