"""New chats: sends to people with whom the account has exchanged no message yet.

Only while WhatsApp has forbidden the account to begin any does it matter whether a chat is new; so
the history is asked for that only then.
"""

from gateway_worker.commands.handlers.effect import Context
from gateway_worker.errors import ReachoutRestrictedError
from gateway_worker.host_protocol.methods.messages import FindChats, SendMessage, Sent
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.chats import chat_of, is_person, spellings_of
from gateway_worker.sessions.session.session import Session


async def send_unless_held(
    context: Context, session: Session, call: SendMessage, *, command_id: str
) -> Sent:
    """Send a message, unless it would begin a chat and WhatsApp lets the account begin none.

    Raises:
        ReachoutRestrictedError: WhatsApp has refused it for that, or was not asked again.
        GatewayError: As the session says.
    """
    is_new = await _is_new_after_a_refusal(context, session, call.to)
    try:
        sent = await session.request(call, command_id=command_id, seconds=context.seconds_left())
    except ReachoutRestrictedError as error:
        seconds = session.reachout.refused()
        raise ReachoutRestrictedError(error.detail, retry_after_seconds=seconds) from error
    if is_new:
        session.reachout.accepted()
    return sent


async def _is_new_after_a_refusal(context: Context, session: Session, to: str) -> bool:
    hold = session.reachout
    if not hold.was_refused or not is_person(to) or await _is_known(context, session, to):
        return False
    if (seconds := hold.seconds_left) > 0:
        raise ReachoutRestrictedError(
            "WhatsApp has refused a new chat of this account before; it was not asked again",
            retry_after_seconds=seconds,
        )
    return True


async def _is_known(context: Context, session: Session, to: str) -> bool:
    chats = spellings_of(chat_of(to))
    if await _has(context, session, *chats):
        return True
    question = FindChats(to=to, asks=False)
    found = await session.request(question, seconds=context.seconds_left())
    others = [other for other in found.chats if other not in chats]
    return bool(others) and await _has(context, session, *others)


async def _has(context: Context, session: Session, *chats: str) -> bool:
    return await until_answered(
        lambda: context.messages.knows(session.session_id, chats=chats), name="messages.knows"
    )
