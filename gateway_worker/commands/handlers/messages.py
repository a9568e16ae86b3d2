"""Messages on their way to WhatsApp."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from gateway_contracts import (
    Content,
    ForwardToSend,
    MessageSend,
    MessageSendData,
    MessageTarget,
    OnUncertain,
    SentInfo,
)
from gateway_worker.commands.attachment_upload import AttachmentUpload, told_of, upload_of
from gateway_worker.commands.chat_order import order_of
from gateway_worker.commands.handlers import contents
from gateway_worker.commands.handlers.effect import (
    Context,
    Effect,
    Handler,
    MessageId,
    Needs,
    Once,
)
from gateway_worker.commands.handlers.forwarded_files import attachment_of
from gateway_worker.commands.handlers.new_chats import send_unless_held
from gateway_worker.commands.handlers.targets import Target, check_id, find_target
from gateway_worker.commands.handlers.timers import chat_timer
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.commands.preparation import Preparation
from gateway_worker.commands.preview_making import PreviewMaking, making_of, shown_of
from gateway_worker.commands.shared_by_rows import Share
from gateway_worker.errors import GatewayError, InvalidCommandError, UnsupportedError
from gateway_worker.host_protocol.methods.messages import Quote, SendMessage, Sent
from gateway_worker.host_protocol.times import moment
from gateway_worker.sessions.changes import Direction, MessageRow, TimerRow
from gateway_worker.sessions.chats import chat_of, is_channel, is_person
from gateway_worker.sessions.session.session import Session

_MANY_TIMES: Final = 127
"""What WhatsApp's apps write for what was passed on many times; no app counts further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What a command names, as the history has it.

    Attributes:
        target: The message that the content is about; None for what stands for itself.
        forwarded: What is forwarded, if it is that.
    """

    target: Target | None = None
    forwarded: Content | None = None


async def send(context: Context, command: MessageSend) -> Effect:
    """Send one message; it is in the history once its outcome is committed."""
    session = await context.manager.find(command.subject)
    contents.check_channel(command.data)
    named = await _named(context, session, command.data)
    content = _to_host(command.data, named)
    upload, making = _upload(context), _making(context)
    shown = shown_of(command.data.content, making)
    content |= shown
    if content.get("link_preview", ...) is None:
        del content["link_preview"]
    forwarded = await attachment_of(context, session.session_id, named.forwarded)
    attachment = forwarded if upload is None else upload.attachment
    if content.pop("media", None) is not None and attachment is None:
        raise UnsupportedError("this file cannot be sent")
    timer = await chat_timer(context, session, command.data.to)
    call = SendMessage(
        to=command.data.to.removeprefix("+"),
        mentions=tuple(mention.removeprefix("+") for mention in content.pop("mentions", ())),
        mentions_all=contents.mentions_all(command.data.to, content),
        forwarding_score=_score(command.data),
        album_id=command.data.album_id,
        disappearing_seconds=timer.seconds,
        content=content,
        quoted=await _quoted(context, session, command.data),
        attachment=attachment,
        thumbnail=making.preview.thumbnail if making and making.preview else None,
    )
    try:
        sent = await send_unless_held(context, session, call, command_id=command.id)
    except InvalidCommandError as error:
        raise _placed(error, named) from None
    told = told_of(command.data.content, upload) | shown
    return _sent_effect(session, command, sent, named, told, timer=timer.asked)


def _placed(error: InvalidCommandError, named: _Named) -> InvalidCommandError:
    """Return what a host finds wrong with a message, with its place: that of what it is about."""
    if error.pointer is not None or named.target is None:
        return error
    return InvalidCommandError(error.detail, pointer="/data/content/target")


async def effect_of_earlier(
    context: Context, session: Session, command: MessageSend, sent: Sent
) -> Effect:
    """Return what is to be committed for a message that an earlier run has sent."""
    try:
        named = await _named(context, session, command.data)
    except (InvalidCommandError, UnsupportedError):  # lost, or switched off, since
        named = _Named()
    told = told_of(command.data.content, None) | shown_of(command.data.content, None)
    return _sent_effect(session, command, sent, named, told)


async def message_of_uncertain(
    context: Context, session: Session, command: MessageSend, which: MessageId
) -> MessageRow:
    """Return the message that may have been sent, as the history has it until that is known."""
    try:
        named = await _named(context, session, command.data)
    except GatewayError:  # as above, or nobody can be asked now
        named = _Named()
    told = told_of(command.data.content, _upload(context))
    told |= shown_of(command.data.content, _making(context))
    row = _row(session, command, which, timestamp=datetime.now(UTC), named=named, told=told)
    return replace(row, is_uncertain=True)


def _row(
    session: Session,
    command: MessageSend,
    which: MessageId,
    *,
    timestamp: datetime,
    named: _Named,
    told: Mapping[str, Any],
) -> MessageRow:
    return MessageRow(
        chat=which.chat,
        message_id=_id_in_history(command, which),
        direction=Direction.OUT,
        sender=session.account.jid if session.account else "",
        content=contents.stored_content(
            command.data.content,
            chat=which.chat,
            target=named.target,
            forwarded=named.forwarded,
            told=told,
        ),
        timestamp=timestamp,
        command_id=command.id,
        client_ref=command.data.client_ref,
        asked=_asked(command.data.to, which.chat),
    )


def _asked(to: str, chat: str) -> str | None:
    """Return a chat as it was named, if WhatsApp calls it otherwise."""
    named = chat_of(to)
    return named if named != chat and is_person(chat) else None


def _id_in_history(command: MessageSend, which: MessageId) -> str:
    """Return under which id a message is stored.

    What changes a post in a channel goes out under the id of the post, and is not that.
    """
    if is_channel(which.chat) and getattr(command.data.content, "target", None) is not None:
        digest = hashlib.sha256(command.id.encode()).hexdigest()[:16]
        return f"{which.message_id}-{digest}"
    return which.message_id


def _sent_effect(
    session: Session,
    command: MessageSend,
    sent: Sent,
    named: _Named,
    told: Mapping[str, Any],
    *,
    timer: TimerRow | None = None,
) -> Effect:
    session.sends.sent(sent.chat, sent.message_id, traceparent=command.traceparent)
    timestamp = moment(sent.timestamp) or datetime.now(UTC)
    return Effect(
        result=SentInfo(
            message_id=sent.message_id,
            chat=sent.chat,
            chat_lid=sent.chat_lid,
            timestamp=timestamp,
            server_id=sent.server_id,
            devices_left_out=sent.devices_left_out,
        ),
        session=session,
        library_seconds=sent.seconds,
        message=_row(
            session,
            command,
            MessageId(chat=sent.chat, message_id=sent.message_id),
            timestamp=timestamp,
            named=named,
            told=told,
        ),
        timer=timer,
    )


async def _named(context: Context, session: Session, data: MessageSendData) -> _Named:
    """Return what a content names.

    Raises:
        InvalidCommandError: It names what the history does not have, or what does not fit.
        UnsupportedError: It is a forward of what is not switched on here.
    """
    if isinstance(data.content, ForwardToSend):
        message, pointer = data.content.message, "/data/content/message"
        check_id(message.chat, pointer=f"{pointer}/chat")
        found = await find_target(context, session, message.chat, message, pointer=pointer)
        return _Named(forwarded=contents.forwardable(found.row, context.features))
    target: MessageTarget | None = getattr(data.content, "target", None)
    if target is None:
        return _Named()
    if data.reply_to is not None:
        raise InvalidCommandError(
            "what is about another message cannot be a reply", pointer="/data/reply_to"
        )
    pointer = "/data/content/target"
    return _Named(target=await find_target(context, session, data.to, target, pointer=pointer))


def _to_host(data: MessageSendData, named: _Named) -> dict[str, Any]:
    """Return a content as a host is asked to send it.

    Raises:
        InvalidCommandError: It does not fit the message that it is about.
        UnsupportedError: There is no such thing about that message.
    """
    if named.forwarded is not None:
        content = named.forwarded.model_dump(mode="json", exclude_none=True)
        content.pop("mentions", None)  # who is named there may be nobody here
        content.pop("mention_all", None)
        return content
    content = data.content.model_dump(mode="json", exclude_none=True)
    if named.target is not None:
        contents.check_target(data.content, named.target)
        content["target"] = {**named.target.fields(), "kind": named.target.kind}
    return content


def _score(data: MessageSendData) -> int | None:
    content = data.content
    return min(content.score, _MANY_TIMES) if isinstance(content, ForwardToSend) else None


async def _quoted(context: Context, session: Session, data: MessageSendData) -> Quote | None:
    if data.reply_to is None:
        return None
    elsewhere = data.reply_to.chat
    if elsewhere is not None and not is_person(data.to):
        raise InvalidCommandError(
            "what stands elsewhere is answered to a person", pointer="/data/reply_to/chat"
        )
    target = await find_target(
        context, session, elsewhere or data.to, data.reply_to, pointer="/data/reply_to"
    )
    if target.row is not None:
        contents.check_shown(target.row.content)
    return Quote(
        message_id=target.message_id,
        participant=target.participant,
        content=None if target.row is None else contents.quotable(target.row),
        chat=elsewhere,
    )


def _prepare(context: Context, command: MessageSend) -> Preparation | None:
    files, content = context.files, command.data.content
    if files is None or (is_channel(command.data.to) and content.kind != "text"):
        return None  # what cannot be sent there is refused, and nothing is fetched for it
    bulk_id = context.bulk_id
    if bulk_id is None:
        return upload_of(files.outgoing, content) or making_of(
            files.outgoing, files.previews, content
        )
    shared_files = Share(kept=context.shared_files, bulk_id=bulk_id)
    shared_previews = Share(kept=context.shared_previews, bulk_id=bulk_id)
    return upload_of(files.outgoing, content, shared_files) or making_of(
        files.outgoing, files.previews, content, shared_previews
    )


def _upload(context: Context) -> AttachmentUpload | None:
    """Return what was uploaded for this message, if it has a file."""
    found = context.preparation
    return found if isinstance(found, AttachmentUpload) else None


def _making(context: Context) -> PreviewMaking | None:
    """Return what was made of this message's preview, if it is to have one."""
    found = context.preparation
    return found if isinstance(found, PreviewMaking) else None


def _order(command: MessageSend) -> Order:
    return order_of(command.data.to)


def _recipient(command: MessageSend) -> str:
    return command.data.to


def _typed(command: MessageSend) -> int:
    content = command.data.content
    written = getattr(content, "text", None) or getattr(content, "caption", None)
    return len(written) if isinstance(written, str) else 0


def _may_repeat(command: MessageSend) -> bool:
    return command.data.on_uncertain is OnUncertain.RESEND


HANDLERS: dict[str, Handler] = {
    "wa.message.send.v1": Handler(
        run=send,
        lane=Lane.SENDS,
        order=_order,
        needs=Needs.CONNECTION,
        prepare=_prepare,
        paced=_recipient,
        typed=_typed,
        once=Once(
            effect_of=effect_of_earlier, may_repeat=_may_repeat, message_of=message_of_uncertain
        ),
    ),
}
