"""After how long what is sent to a chat disappears."""

from gateway_worker.commands.handlers.effect import Context
from gateway_worker.host_protocol.methods.messages import FindChats
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.chats import chat_of, is_person
from gateway_worker.sessions.session.session import Session


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
    if not timers:  # most sessions have none, and ask nobody
        return None
    seconds = timers.seconds((chat_of(to),))
    if seconds is None and is_person(to):  # it may be known by the person's other id
        seconds = timers.seconds((await session.request(FindChats(to=to))).chats)
    return seconds or None
