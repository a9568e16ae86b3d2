"""What is to be sent as the library's messages."""

import secrets
from typing import Any, Final

from neonize.proto.waCommon.WACommon_pb2 import MessageKey
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as library
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ContextInfo, Message

from gateway_worker.host_protocol.methods.messages import SendMessage
from gateway_worker.whatsapp.convert.kinds import COMPOSED, Composing
from gateway_worker.whatsapp.convert.recipients import RecipientError, recipient
from gateway_worker.whatsapp.convert.references import fill_key

_EVERYBODY: Final = 1


def compose(call: SendMessage, *, chat: str) -> Message:
    """Return the message of a call.

    Args:
        call: What is to be sent.
        chat: The JID that it goes to.

    Raises:
        RecipientError: Somebody who is named in it is no JID, or the content is none to be sent.
    """
    kind = COMPOSED.get(call.content.get("kind", ""))
    if kind is None or kind.compose is None:
        raise RecipientError("no content of this kind can be sent")
    composing = Composing(
        library=library,
        context=_context(call),
        about=_key(call, chat),
        about_kind=call.content.get("target", {}).get("kind"),
        attachment=call.attachment,
        thumbnail=call.thumbnail,
    )
    message: Message = kind.compose(call.content, composing)
    if call.album_id is not None:
        association = message.messageContextInfo.messageAssociation
        association.associationType = association.MEDIA_ALBUM
        parent = association.parentMessageKey
        parent.ID, parent.remoteJID, parent.fromMe = call.album_id, chat, True
    return message


SECRET_BYTES: Final = 32
"""What WhatsApp's own apps give each message; votes in a poll are encrypted with it."""


def secret_of(message: Message) -> bytes:
    """Return a message's secret; one that has none gets one.

    The library keeps it beside the id that it chooses, before anything leaves: by the secret the id
    is found of a message that was never answered.
    """
    context = message.messageContextInfo
    if not context.messageSecret:
        context.messageSecret = secrets.token_bytes(SECRET_BYTES)
    return bytes(context.messageSecret)


def _context(call: SendMessage) -> ContextInfo | None:
    context = ContextInfo(mentionedJID=[recipient(one) for one in call.mentions])
    if call.mentions_all:
        context.nonJIDMentions = _EVERYBODY
    if call.disappearing_seconds:
        context.expiration = call.disappearing_seconds
    if call.forwarding_score is not None:
        context.isForwarded, context.forwardingScore = True, call.forwarding_score
    if (quoted := call.quoted) is not None:
        context.stanzaID = quoted.message_id
        context.participant = recipient(quoted.participant)
        if quoted.chat is not None:
            context.remoteJID = quoted.chat
        context.quotedMessage.CopyFrom(_quoted(quoted.content))
    return context if context.ListFields() else None


def _quoted(content: dict[str, Any] | None) -> Message:
    """Return what a reply shows of the message that it answers, as far as that is known."""
    kind = None if content is None else COMPOSED.get(content["kind"])
    if content is None or kind is None or kind.quote is None:
        return Message(conversation="")
    message: Message = kind.quote(content, Composing(library=library))
    message.ClearField("messageContextInfo")  # it may have secrets of the message
    return message


def _key(call: SendMessage, chat: str) -> MessageKey | None:
    target = call.content.get("target")
    if target is None:
        return None
    key = MessageKey()
    fill_key(key, target, chat)
    return key
