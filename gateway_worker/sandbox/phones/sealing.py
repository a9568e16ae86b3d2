"""What apps encrypt once more, with the secret that came with the message it is about.

Votes and answers to appointments always, reactions and comments where a community announces, and
edits of what has a secret: newer apps give one to each message. The key is made of that secret, of
the other message's id and writer, and of who encrypts. People are in it by LID here.
"""

from __future__ import annotations

import enum
import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway_worker.sandbox.hkdf import hkdf
from gateway_worker.sandbox.phones.content import text_content, unwrapped
from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.wa_e2e import (
    EventResponseMessage,
    Message,
    SecretEncryptedMessage,
)

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.values import ChatMessage
    from gateway_worker.sandbox.wire.jid import Jid

_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Purpose(enum.StrEnum):
    """What is encrypted; the values are WhatsApp's."""

    VOTE = "Poll Vote"
    RESPONSE = "Event Response"
    REACTION = "Enc Reaction"
    COMMENT = "Enc Comment"
    EDIT = "Message Edit"
    EVENT_EDIT = "Event Edit"


_NAME_SENDER: Final = frozenset((Purpose.VOTE, Purpose.RESPONSE))
"""Of these, who has encrypted it is authenticated."""


def give_secret(message: Message) -> None:
    """Let content have a secret, unless it has one."""
    context = message.messageContextInfo
    context.messageSecret = context.messageSecret or secrets.token_bytes(_BYTES)


def has_secret(message: ChatMessage) -> bool:
    """Tell whether a message came with a secret."""
    return bool(_secret_of(message))


def seal(part: Any, about: ChatMessage, plain: bytes, *, sender: Jid, purpose: Purpose) -> None:
    """Encrypt bytes into the part of a message that has `encPayload` and `encIV`.

    Args:
        part: where they go.
        about: the message that they are about, as the sender's phone has it.
        plain: what to encrypt.
        sender: LID of the account that encrypts.
        purpose: what it is.

    Raises:
        InvalidContentError: the message came without a secret.
    """
    cipher, beside = _cipher(about, sender, purpose)
    part.encIV = os.urandom(_NONCE_BYTES)
    part.encPayload = cipher.encrypt(part.encIV, plain, beside)


def unseal(part: Any, about: ChatMessage, *, sender: Jid, purpose: Purpose) -> bytes:
    """Decrypt what `seal` has encrypted.

    Raises:
        InvalidContentError: the message that it is about came without a secret.
        InvalidTag: It was not made for that.
        ValueError: It is nothing encrypted.
    """
    cipher, beside = _cipher(about, sender, purpose)
    return cipher.decrypt(part.encIV, part.encPayload, beside)


def sealed_reaction(reaction: Message, about: ChatMessage, *, sender: Jid) -> Message:
    """Encrypt a reaction; raises as `seal`."""
    message = Message()
    part = message.encReactionMessage
    part.targetMessageKey.CopyFrom(reaction.reactionMessage.key)
    hidden = type(reaction.reactionMessage)()
    hidden.text = reaction.reactionMessage.text
    hidden.senderTimestampMS = time.time_ns() // 1_000_000
    plain = hidden.SerializeToString()
    seal(part, about, plain, sender=sender, purpose=Purpose.REACTION)
    return message


def sealed_comment(text: str, about: ChatMessage, *, sender: Jid) -> Message:
    """Build a comment on an announcement; raises as `seal`."""
    message = Message()
    part = message.encCommentMessage
    about.as_target().write_to(part.targetMessageKey)
    plain = text_content(text).SerializeToString()
    seal(part, about, plain, sender=sender, purpose=Purpose.COMMENT)
    return message


def sealed_edit(edit: Message, about: ChatMessage, *, sender: Jid) -> Message:
    """Encrypt an edit; raises as `seal`."""
    change = unwrapped(edit)
    is_event = change.protocolMessage.editedMessage.HasField("eventMessage")
    message = Message()
    part = message.secretEncryptedMessage
    part.targetMessageKey.CopyFrom(change.protocolMessage.key)
    part.secretEncType = (
        SecretEncryptedMessage.EVENT_EDIT if is_event else SecretEncryptedMessage.MESSAGE_EDIT
    )
    purpose = Purpose.EVENT_EDIT if is_event else Purpose.EDIT
    seal(part, about, change.SerializeToString(), sender=sender, purpose=purpose)
    return message


def event_response(about: ChatMessage, response: str, *, extra_guests: int, sender: Jid) -> Message:
    """Build an answer to an appointment.

    Args:
        about: the appointment, as the sender's phone has it.
        response: `GOING`, `NOT_GOING` or `MAYBE`.
        extra_guests: how many others come along.
        sender: LID of the account that answers.

    Raises:
        InvalidContentError: it is no appointment, came without a secret, or the answer is none.
    """
    if not unwrapped(Message.FromString(about.raw)).HasField("eventMessage"):
        raise InvalidContentError("the message is no appointment")
    if response not in EventResponseMessage.EventResponseType.keys():  # noqa: SIM118 - no dict
        raise InvalidContentError("there is no such answer")
    answer = EventResponseMessage(
        response=EventResponseMessage.EventResponseType.Value(response),
        timestampMS=time.time_ns() // 1_000_000,
        extraGuestCount=extra_guests,
    )
    message = Message()
    part = message.encEventResponseMessage
    about.as_target().write_to(part.eventCreationMessageKey)
    plain = answer.SerializeToString()
    seal(part, about, plain, sender=sender, purpose=Purpose.RESPONSE)
    return message


def _secret_of(message: ChatMessage) -> bytes:
    secret: bytes = Message.FromString(message.raw).messageContextInfo.messageSecret
    return secret


def _cipher(about: ChatMessage, sender: Jid, purpose: Purpose) -> tuple[AESGCM, bytes | None]:
    secret = _secret_of(about)
    if len(secret) != _BYTES:
        raise InvalidContentError("the message came without a secret")
    person = str(sender.account)
    info = f"{about.message_id}{about.sender.account}{person}{purpose.value}"
    key = hkdf(secret=secret, info=info.encode(), length=_BYTES)
    beside = f"{about.message_id}\0{person}".encode() if purpose in _NAME_SENDER else None
    return AESGCM(key), beside
