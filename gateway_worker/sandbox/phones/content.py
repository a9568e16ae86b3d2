"""What is inside an encrypted message: the few content kinds a phone writes, and how it reads all.

The schema lists what a phone looks at; other kinds are recognised by the number of their field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.wire.jid import Jid

_CAPTIONED: Final = {"context": (17, "ContextInfo")}
_PROTO: Final = build_messages(
    "sandbox_content",
    {
        "Message": {
            "conversation": (1, "string"),
            "image": (3, "Image"),
            "contact": (4, "Opaque"),
            "location": (5, "Opaque"),
            "text": (6, "ExtendedText"),
            "document": (7, "Document"),
            "audio": (8, "Opaque"),
            "video": (9, "Video"),
            "protocol": (12, "Protocol"),
            "sticker": (26, "Opaque"),
            "sent_elsewhere": (31, "SentElsewhere"),
            "reaction": (46, "Reaction"),
            "poll": (49, "Opaque"),
            "poll_vote": (50, "Opaque"),
            "poll_v3": (64, "Opaque"),
        },
        "Opaque": {},
        "ExtendedText": {"text": (1, "string"), **_CAPTIONED},
        "Image": {"caption": (3, "string"), **_CAPTIONED},
        "Document": {"caption": (20, "string"), **_CAPTIONED},
        "Video": {"caption": (7, "string"), **_CAPTIONED},
        "ContextInfo": {
            "stanza_id": (1, "string"),
            "participant": (2, "string"),
            "quoted": (3, "Message"),
            "mentioned": (15, "string", True),
        },
        "SentElsewhere": {"destination": (1, "string"), "message": (2, "Message")},
        "Key": {"remote": (1, "string"), "from_me": (2, "bool"), "id": (3, "string")},
        "Protocol": {"key": (1, "Key"), "type": (2, "int32"), "edited": (14, "Message")},
        "Reaction": {"key": (1, "Key"), "text": (2, "string")},
    },
)
_Message: Final = _PROTO["Message"]
_REVOKE: Final = 0
_EDIT: Final = 14
_BY_FIELD: Final = {
    "image": "image",
    "contact": "contact",
    "location": "location",
    "document": "document",
    "audio": "audio",
    "video": "video",
    "sticker": "sticker",
    "poll": "poll",
    "poll_v3": "poll",
    "poll_vote": "poll_vote",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A message's content as a phone shows it.

    Attributes:
        kind: `text`, `reaction`, `edit`, `revoke`, `image`, …, `protocol` (never shown), `other`.
        text: the text, the caption or the emoji; empty for a removed reaction.
        quoted_id: the message this one replies to.
        target_id: the message that a reaction, edit or revocation is about.
        mentions: addresses named in the text.
        destination: set on what a companion of the same account wrote: to whom.
        raw: the serialized content, without the wrapping for companions.
    """

    kind: str
    text: str = ""
    quoted_id: str | None = None
    target_id: str | None = None
    mentions: tuple[Jid, ...] = ()
    destination: Jid | None = None
    raw: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The message that a reply points to; `raw` is its serialized content."""

    message_id: str
    sender: Jid
    raw: bytes


def text_content(text: str, *, quote: Quote | None, mentions: tuple[Jid, ...]) -> bytes:
    """Serialize a text; a plain one uses the plain field, as phones do."""
    if quote is None and not mentions:
        plain: bytes = _Message(conversation=text).SerializeToString()
        return plain
    message = _Message()
    message.text.text = text
    context = message.text.context
    context.mentioned.extend(str(mention) for mention in mentions)
    if quote is not None:
        context.stanza_id = quote.message_id
        context.participant = str(quote.sender.account)
        context.quoted.ParseFromString(quote.raw)
    extended: bytes = message.SerializeToString()
    return extended


def reaction_content(emoji: str, *, target_id: str, remote: Jid, from_me: bool) -> bytes:
    """Serialize a reaction; an empty emoji takes it back."""
    message = _Message()
    message.reaction.text = emoji
    _point(message.reaction.key, target_id=target_id, remote=remote, from_me=from_me)
    data: bytes = message.SerializeToString()
    return data


def revoke_content(*, target_id: str, remote: Jid) -> bytes:
    """Serialize the deletion, for everyone, of a message this account wrote."""
    message = _Message()
    message.protocol.type = _REVOKE
    _point(message.protocol.key, target_id=target_id, remote=remote, from_me=True)
    data: bytes = message.SerializeToString()
    return data


def edit_content(text: str, *, target_id: str, remote: Jid) -> bytes:
    """Serialize the new text of a message this account wrote."""
    message = _Message()
    message.protocol.type = _EDIT
    message.protocol.edited.conversation = text
    _point(message.protocol.key, target_id=target_id, remote=remote, from_me=True)
    data: bytes = message.SerializeToString()
    return data


def for_companion(content: bytes, *, destination: Jid) -> bytes:
    """Wrap serialized content so that a companion files it under what its own account wrote."""
    message = _Message()
    message.sent_elsewhere.destination = str(destination.account)
    message.sent_elsewhere.message.ParseFromString(content)
    wrapped: bytes = message.SerializeToString()
    return wrapped


def read_content(data: bytes) -> Content:
    """Read a decrypted, unpadded message.

    Raises:
        MalformedMessageError: it is not a protocol buffer.
    """
    message = _Message()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise MalformedMessageError("the content is not a protocol buffer") from error
    if not message.HasField("sent_elsewhere"):
        return _read(message, destination=None)
    inner = message.sent_elsewhere
    return _read(inner.message, destination=Jid.parse(inner.destination))


def _read(message: Any, *, destination: Jid | None) -> Content:
    raw = message.SerializeToString()
    if message.HasField("conversation"):
        return Content(kind="text", text=message.conversation, destination=destination, raw=raw)
    if message.HasField("text"):
        return _captioned("text", message.text, message.text.text, destination, raw)
    if message.HasField("reaction"):
        return Content(
            kind="reaction",
            text=message.reaction.text,
            target_id=message.reaction.key.id,
            destination=destination,
            raw=raw,
        )
    if message.HasField("protocol"):
        return _read_protocol(message.protocol, destination, raw)
    for name, kind in _BY_FIELD.items():
        if message.HasField(name):
            part = getattr(message, name)
            return _captioned(kind, part, getattr(part, "caption", ""), destination, raw)
    return Content(kind="other", destination=destination, raw=raw)


def _read_protocol(protocol: Any, destination: Jid | None, raw: bytes) -> Content:
    if protocol.HasField("type") and protocol.type == _EDIT:
        kind, text = "edit", _read(protocol.edited, destination=None).text
    elif protocol.type == _REVOKE and protocol.key.id:
        kind, text = "revoke", ""
    else:
        return Content(kind="protocol", destination=destination, raw=raw)
    return Content(
        kind=kind, text=text, target_id=protocol.key.id, destination=destination, raw=raw
    )


def _captioned(kind: str, part: Any, text: str, destination: Jid | None, raw: bytes) -> Content:
    context = getattr(part, "context", None)
    return Content(
        kind=kind,
        text=text,
        quoted_id=(context.stanza_id or None) if context is not None else None,
        mentions=tuple(map(Jid.parse, context.mentioned)) if context is not None else (),
        destination=destination,
        raw=raw,
    )


def _point(key: Any, *, target_id: str, remote: Jid, from_me: bool) -> None:
    key.remote, key.from_me, key.id = str(remote.account), from_me, target_id
