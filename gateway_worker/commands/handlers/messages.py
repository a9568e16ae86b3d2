"""Messages on their way to WhatsApp."""

from gateway_contracts import MessageSend, ReplyTarget, SentInfo, TextContent, TextToSend
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.errors import InvalidCommandError
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.sessions.hosting import OutgoingText, QuotedMessage, SentMessage
from gateway_worker.sessions.session import Session


async def send(context: Context, command: MessageSend) -> Effect:
    """Send one message; it is in the history once its outcome is committed."""
    session = await context.manager.find(command.subject)
    content = command.data.content
    quoted = await _quoted(context, command.subject, command.data.reply_to)
    sent = await session.send_text(
        OutgoingText(
            to=command.data.to.removeprefix("+"),
            text=content.text,
            mentions=tuple(mention.removeprefix("+") for mention in content.mentions),
            quoted=quoted,
        ),
        command_id=command.id,
    )
    return sent_effect(session, command, sent)


def sent_effect(session: Session, command: MessageSend, sent: SentMessage) -> Effect:
    """Return what is to be committed for a message that WhatsApp's server has taken."""
    content: TextToSend = command.data.content
    session.sent.remember(sent.message_id, command.id)
    return Effect(
        result=SentInfo(
            message_id=sent.message_id,
            chat=sent.chat,
            timestamp=sent.timestamp,
            devices_left_out=sent.devices_left_out,
        ),
        session=session,
        library_seconds=sent.library_seconds,
        message=MessageRow(
            chat=sent.chat,
            message_id=sent.message_id,
            direction=Direction.OUT,
            sender=session.account.jid if session.account else "",
            content=TextContent(text=content.text, mentions=content.mentions),
            timestamp=sent.timestamp,
            command_id=command.id,
        ),
    )


async def _quoted(
    context: Context, session_id: str, target: ReplyTarget | None
) -> QuotedMessage | None:
    if target is None:
        return None
    known = await until_answered(
        lambda: context.messages.find(session_id, target.message_id), name="messages.find"
    )
    participant = target.participant or (known.sender if known else None)
    if participant is None:
        raise InvalidCommandError(
            "this message is not in the session's history; name its participant",
            pointer="/data/reply_to/message_id",
        )
    text = known.content.text if known and isinstance(known.content, TextContent) else None
    return QuotedMessage(message_id=target.message_id, participant=participant, text=text)


HANDLERS: dict[str, Handler] = {"wa.message.send.v1": send}
