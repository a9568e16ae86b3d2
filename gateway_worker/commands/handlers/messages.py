"""Messages on their way to WhatsApp."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter

from gateway_contracts import (
    Content,
    ContentToSend,
    MessageSend,
    MessageSendData,
    OnUncertain,
    ReplyTarget,
    SentInfo,
    TextContent,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs, Once
from gateway_worker.commands.scheduler import Lane
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.methods import FindChats, Quote, SendMessage, Sent
from gateway_worker.host_protocol.times import moment
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.sessions.chats import chat_of, is_person, without_device
from gateway_worker.sessions.session.session import Session

_ARRIVING: Final[TypeAdapter[Content]] = TypeAdapter(Content)


async def send(context: Context, command: MessageSend) -> Effect:
    """Send one message; it is in the history once its outcome is committed."""
    session = await context.manager.find(command.subject)
    content = command.data.content.model_dump(mode="json", exclude_none=True)
    quoted = await _quoted(context, session, command.data)
    sent = await session.request(
        SendMessage(
            to=command.data.to.removeprefix("+"),
            mentions=tuple(mention.removeprefix("+") for mention in content.pop("mentions", ())),
            content=content,
            quoted=quoted,
        ),
        command_id=command.id,
    )
    return sent_effect(session, command, sent)


def sent_effect(session: Session, command: MessageSend, sent: Sent) -> Effect:
    """Return what is to be committed for a message that WhatsApp's server has taken."""
    session.sends.sent(sent.chat, sent.message_id)
    timestamp = moment(sent.timestamp) or datetime.now(UTC)
    return Effect(
        result=SentInfo(
            message_id=sent.message_id,
            chat=sent.chat,
            timestamp=timestamp,
            devices_left_out=sent.devices_left_out,
        ),
        session=session,
        library_seconds=sent.seconds,
        message=MessageRow(
            chat=sent.chat,
            message_id=sent.message_id,
            direction=Direction.OUT,
            sender=session.account.jid if session.account else "",
            content=stored_content(command.data.content),
            timestamp=timestamp,
            command_id=command.id,
        ),
    )


def stored_content(content: ContentToSend) -> Content:
    """Return what the history has of a content that was sent: what would have arrived."""
    return _ARRIVING.validate_python(content.model_dump())


async def _quoted(context: Context, session: Session, data: MessageSendData) -> Quote | None:
    target = data.reply_to
    if target is None:
        return None
    known = await _find(context, session, data.to, target)
    participant = target.participant or (known.sender if known else None)
    if participant is None:
        raise InvalidCommandError(
            "the chat that this goes to has no such message in the session's history; "
            "name its participant if it was there before",
            pointer="/data/reply_to/message_id",
        )
    text = known.content.text if known and isinstance(known.content, TextContent) else None
    return Quote(message_id=target.message_id, participant=participant, text=text)


async def _find(
    context: Context, session: Session, to: str, target: ReplyTarget
) -> MessageRow | None:
    """Return the message of this chat that is meant; an id says that only with chat and writer.

    Raises:
        InvalidCommandError: Several members of a group have used the id.
    """
    chats: Sequence[str] = (chat_of(to),)
    found = await _look_up(context, session, chats, target)
    if not found and is_person(to):  # it may be stored under the person's other id
        others = [
            chat for chat in (await session.request(FindChats(to=to))).chats if chat not in chats
        ]
        found = await _look_up(context, session, others, target) if others else found
    if target.participant is None and len({row.sender for row in found}) > 1:
        raise InvalidCommandError(
            "several messages of this chat have this id; name the participant",
            pointer="/data/reply_to/participant",
        )
    return found[0] if found else None


async def _look_up(
    context: Context, session: Session, chats: Sequence[str], target: ReplyTarget
) -> Sequence[MessageRow]:
    found = await until_answered(
        lambda: context.messages.find(
            session.session_id, chats=chats, message_id=target.message_id
        ),
        name="messages.find",
    )
    if target.participant is None:
        return found
    writer = without_device(target.participant)
    return [row for row in found if without_device(row.sender) == writer]


def _may_repeat(command: MessageSend) -> bool:
    return command.data.on_uncertain is OnUncertain.RESEND


HANDLERS: dict[str, Handler] = {
    "wa.message.send.v1": Handler(
        run=send,
        lane=Lane.SENDS,
        needs=Needs.CONNECTION,
        once=Once(effect_of=sent_effect, may_repeat=_may_repeat),
    ),
}
