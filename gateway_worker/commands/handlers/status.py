"""Status posts on their way to WhatsApp, and their deletion."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter

from gateway_contracts import (
    Content,
    MessageReference,
    OnUncertain,
    RevokeContent,
    StatusAudience,
    StatusDelete,
    StatusGetAudience,
    StatusInfo,
    StatusPost,
    StatusViewers,
)
from gateway_worker.commands.attachment_upload import told_of, upload_of
from gateway_worker.commands.chat_order import order_of
from gateway_worker.commands.handlers.effect import (
    Context,
    Effect,
    Handler,
    MessageId,
    Needs,
    Once,
)
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.commands.preparation import Preparation
from gateway_worker.commands.status_preparation import StatusPreparation
from gateway_worker.errors import InvalidCommandError, UnsupportedError
from gateway_worker.host_protocol.media import Attachment
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.host_protocol.methods.status import PostStatus, PrepareAudience
from gateway_worker.host_protocol.times import moment
from gateway_worker.runtime.bounds import shortest
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.sessions.chats import STATUS_CHAT
from gateway_worker.sessions.session.session import Session

ASK_SECONDS: Final = 15.0
"""How long WhatsApp may take to say who would see a post: other questions wait meanwhile."""
_ARRIVING: Final[TypeAdapter[Content]] = TypeAdapter(Content)

Posting = StatusPost | StatusDelete


async def post(context: Context, command: StatusPost) -> Effect:
    """Post; it is in the history once its outcome is committed.

    Raises:
        UnsupportedError: Its file cannot be sent here.
        GatewayError: As the session says.
    """
    session = await context.manager.find(command.subject)
    content = command.data.content.model_dump(mode="json", exclude_none=True)
    ready = _prepared(context)
    attachment = None if ready.upload is None else ready.upload.attachment
    if content.pop("media", None) is not None and attachment is None:
        raise UnsupportedError("this file cannot be sent")
    call = _call(ready, content, attachment)
    sent = await session.request(call, command_id=command.id, seconds=context.seconds_left())
    return _effect(session, command, sent, _posted(command, ready), ready)


async def delete(context: Context, command: StatusDelete) -> Effect:
    """Delete a post; the deletion is in the history once its outcome is committed.

    Raises:
        InvalidCommandError: The history has no such post of the account's own.
        GatewayError: As the session says.
    """
    session = await context.manager.find(command.subject)
    own = await _own_post(context, session, command)
    target = {"message_id": own.message_id, "participant": own.sender, "from_me": True}
    ready = _prepared(context)
    call = _call(ready, {"kind": "revoke", "target": target})
    sent = await session.request(call, command_id=command.id, seconds=context.seconds_left())
    return _effect(session, command, sent, _deleted(session, command), ready)


async def audience(context: Context, command: StatusGetAudience) -> Effect:
    """Ask who would see a post."""
    session = await context.manager.find(command.subject)
    found = await session.request(
        PrepareAudience(count=0), seconds=shortest(ASK_SECONDS, context.seconds_left())
    )
    result = StatusViewers(audience=StatusAudience(found.setting), recipients=found.recipients)
    return Effect(result=result, session=session)


async def effect_of_earlier(
    _context: Context, session: Session, command: Posting, sent: Sent
) -> Effect:
    """Return what is to be committed for what an earlier run has posted or deleted."""
    return _effect(session, command, sent, _content(session, command, None), None)


async def message_of_uncertain(
    context: Context, session: Session, command: Posting, which: MessageId
) -> MessageRow:
    """Return what may have been sent, as the history has it until that is known."""
    content = _content(session, command, _prepared(context))
    row = _row(session, command, which.message_id, content, timestamp=datetime.now(UTC))
    return replace(row, is_uncertain=True)


def _call(
    ready: StatusPreparation, content: dict[str, Any], attachment: Attachment | None = None
) -> PostStatus:
    return PostStatus(to=STATUS_CHAT, content=content, attachment=attachment, reach=ready.reach)


def _prepared(context: Context) -> StatusPreparation:
    found = context.preparation
    assert isinstance(found, StatusPreparation)
    return found


async def _own_post(context: Context, session: Session, command: StatusDelete) -> MessageRow:
    wanted = command.data.message_id
    found = await until_answered(
        lambda: context.messages.find(session.session_id, chats=(STATUS_CHAT,), message_id=wanted),
        name="messages.find",
    )
    own = [row for row in found if row.direction is Direction.OUT]
    if not own:
        raise InvalidCommandError(
            "the session's history has no such status post of its own", pointer="/data/message_id"
        )
    return own[0]


def _content(session: Session, command: Posting, ready: StatusPreparation | None) -> Content:
    if isinstance(command, StatusDelete):
        return _deleted(session, command)
    return _posted(command, ready)


def _posted(command: StatusPost, ready: StatusPreparation | None) -> Content:
    """Return what the history has of a post: what would have arrived."""
    content = command.data.content
    told: Mapping[str, Any] = told_of(content, None if ready is None else ready.upload)
    return _ARRIVING.validate_python({**content.model_dump(), **told})


def _deleted(session: Session, command: StatusDelete) -> Content:
    target = MessageReference(
        message_id=command.data.message_id,
        chat=STATUS_CHAT,
        participant=session.account.jid if session.account else None,
        from_me=True,
    )
    return RevokeContent(target=target)


def _effect(
    session: Session,
    command: Posting,
    sent: Sent,
    content: Content,
    ready: StatusPreparation | None,
) -> Effect:
    session.sends.sent(sent.chat, sent.message_id, traceparent=command.traceparent)
    timestamp = moment(sent.timestamp) or datetime.now(UTC)
    audience = None if ready is None else ready.audience
    return Effect(
        result=StatusInfo(
            message_id=sent.message_id,
            chat=sent.chat,
            timestamp=timestamp,
            audience=None if audience is None else StatusAudience(audience.setting),
            recipients=None if audience is None else audience.recipients,
            devices_left_out=sent.devices_left_out,
        ),
        session=session,
        library_seconds=sent.seconds,
        message=_row(session, command, sent.message_id, content, timestamp=timestamp),
    )


def _row(
    session: Session,
    command: Posting,
    message_id: str,
    content: Content,
    *,
    timestamp: datetime,
) -> MessageRow:
    return MessageRow(
        chat=STATUS_CHAT,
        message_id=message_id,
        direction=Direction.OUT,
        sender=session.account.jid if session.account else "",
        content=content,
        timestamp=timestamp,
        command_id=command.id,
        client_ref=command.data.client_ref,
    )


def _prepare_post(context: Context, command: StatusPost) -> Preparation:
    files = context.files
    upload = None if files is None else upload_of(files.outgoing, command.data.content)
    return StatusPreparation(command=command, upload=upload)


def _prepare_deletion(context: Context, command: StatusDelete) -> Preparation:
    return StatusPreparation(
        command=command, check=lambda session: _own_post(context, session, command)
    )


def _order(_command: Posting) -> Order:
    return order_of(STATUS_CHAT)


def _recipient(_command: StatusPost) -> str:
    return STATUS_CHAT


def _may_repeat(command: Posting) -> bool:
    return command.data.on_uncertain is OnUncertain.RESEND


_ONCE: Final = Once(
    effect_of=effect_of_earlier, may_repeat=_may_repeat, message_of=message_of_uncertain
)

HANDLERS: dict[str, Handler] = {
    "wa.status.post.v1": Handler(
        run=post,
        lane=Lane.SENDS,
        order=_order,
        needs=Needs.CONNECTION,
        prepare=_prepare_post,
        paced=_recipient,
        once=_ONCE,
    ),
    "wa.status.audience.v1": Handler(run=audience, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.status.delete.v1": Handler(
        run=delete,
        lane=Lane.SENDS,
        order=_order,
        needs=Needs.CONNECTION,
        prepare=_prepare_deletion,
        once=_ONCE,
    ),
}
