"""Messages on their way to WhatsApp."""

from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter

from gateway_contracts import (
    Content,
    ContentToSend,
    EditContent,
    MessageSend,
    MessageSendData,
    MessageTarget,
    OnUncertain,
    SentInfo,
    TextContent,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs, Once
from gateway_worker.commands.handlers.targets import Target, find_target
from gateway_worker.commands.scheduler import Lane
from gateway_worker.errors import InvalidCommandError, UnsupportedError
from gateway_worker.host_protocol.methods import Quote, SendMessage, Sent
from gateway_worker.host_protocol.times import moment
from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.sessions.session.session import Session

_ARRIVING: Final[TypeAdapter[Content]] = TypeAdapter(Content)


async def send(context: Context, command: MessageSend) -> Effect:
    """Send one message; it is in the history once its outcome is committed."""
    session = await context.manager.find(command.subject)
    content = command.data.content.model_dump(mode="json", exclude_none=True)
    target = await _target(context, session, command.data)
    if "media" in content:
        raise UnsupportedError("files cannot be sent yet")
    if target is not None:
        content["target"] = {**target.fields(), "kind": target.kind}
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
    return _sent_effect(session, command, sent, target)


async def effect_of_earlier(
    context: Context, session: Session, command: MessageSend, sent: Sent
) -> Effect:
    """Return what is to be committed for a message that an earlier run has sent."""
    try:
        target = await _target(context, session, command.data)
    except InvalidCommandError:  # the history has lost it since
        target = None
    return _sent_effect(session, command, sent, target)


def _sent_effect(
    session: Session, command: MessageSend, sent: Sent, target: Target | None
) -> Effect:
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
            content=stored_content(command.data.content, chat=sent.chat, target=target),
            timestamp=timestamp,
            command_id=command.id,
            client_ref=command.data.client_ref,
        ),
    )


def stored_content(content: ContentToSend, *, chat: str, target: Target | None = None) -> Content:
    """Return what the history has of a content that was sent: what would have arrived.

    Args:
        content: What was sent.
        chat: Where to.
        target: The message that it is about, as far as that is known.
    """
    told = content.model_dump()
    if "target" in told:
        told["target"] = {**told["target"], **(target.fields() if target else {}), "chat": chat}
    return _ARRIVING.validate_python(told)


async def _target(context: Context, session: Session, data: MessageSendData) -> Target | None:
    """Return the message that a content is about; None for one that stands for itself."""
    named: MessageTarget | None = getattr(data.content, "target", None)
    if named is None:
        return None
    if data.reply_to is not None:
        raise InvalidCommandError(
            "what is about another message cannot be a reply", pointer="/data/reply_to"
        )
    return await find_target(context, session, data.to, named, pointer="/data/content/target")


async def _quoted(context: Context, session: Session, data: MessageSendData) -> Quote | None:
    if data.reply_to is None:
        return None
    target = await find_target(context, session, data.to, data.reply_to, pointer="/data/reply_to")
    return Quote(
        message_id=target.message_id,
        participant=target.participant,
        text=None if target.row is None else _text_of(target.row),
    )


def _text_of(row: MessageRow) -> str | None:
    """Return what a message says now; None if it was deleted, or is no text."""
    match row.change or row.content:
        case TextContent(text=text) | EditContent(text=text):
            return text
        case _:
            return None


def _may_repeat(command: MessageSend) -> bool:
    return command.data.on_uncertain is OnUncertain.RESEND


HANDLERS: dict[str, Handler] = {
    "wa.message.send.v1": Handler(
        run=send,
        lane=Lane.SENDS,
        needs=Needs.CONNECTION,
        once=Once(effect_of=effect_of_earlier, may_repeat=_may_repeat),
    ),
}
