"""The content of a message: how a phone writes it, and what it shows of what it got.

Content is the library's own `Message`, so every kind can be written and shown as protojson (the
names of its fields, bytes as base64, 64-bit numbers as text). Only what takes more than that has a
function here: texts, and what points to another message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.wa_e2e import ContextInfo, Message, ProtocolMessage
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.wire.jid import Jid

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "contactMessage": "contact",
    "contactsArrayMessage": "contacts",
    "locationMessage": "location",
    "liveLocationMessage": "live_location",
    "documentMessage": "document",
    "audioMessage": "audio",
    "videoMessage": "video",
    "ptvMessage": "video",
    "stickerMessage": "sticker",
    "protocolMessage": "protocol",
    "reactionMessage": "reaction",
    "pollCreationMessage": "poll",
    "pollCreationMessageV2": "poll",
    "pollCreationMessageV3": "poll",
    "pollUpdateMessage": "poll_vote",
    "albumMessage": "album",
    "groupInviteMessage": "group_invite",
    "pinInChatMessage": "pin",
    "keepInChatMessage": "keep",
    "eventMessage": "event",
    "encEventResponseMessage": "event_response",
    "encReactionMessage": "reaction",
    "encCommentMessage": "comment",
    "secretEncryptedMessage": "edit",
    "buttonsResponseMessage": "interactive_reply",
    "listResponseMessage": "interactive_reply",
    "templateButtonReplyMessage": "interactive_reply",
    "interactiveResponseMessage": "interactive_reply",
    "stickerPackMessage": "sticker_pack",
    "productMessage": "product",
    "orderMessage": "order",
    "interactiveMessage": "buttons",
    "buttonsMessage": "buttons",
    "templateMessage": "buttons",
    "listMessage": "list_menu",
}
"""What a phone calls the fields of a message; one that is not among them is shown as `other`. It
does not look into what is encrypted once more."""

_WRAPPERS: Final = frozenset(
    (
        "ephemeralMessage",
        "viewOnceMessage",
        "viewOnceMessageV2",
        "viewOnceMessageV2Extension",
        "documentWithCaptionMessage",
        "lottieStickerMessage",
        "editedMessage",
    )
)
"""Fields that hold another message, and say something about how it is shown."""
_KEYS: Final = (
    "key",
    "pollCreationMessageKey",
    "eventCreationMessageKey",
    "targetMessageKey",
)
"""Fields in which what is about a message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A message's content as a phone shows it.

    Attributes:
        kind: one of `KINDS`, `voice`, `edit`, `revoke` or `other`; `protocol` is never shown.
        text: the text, the caption or the emoji; empty for a removed reaction.
        quoted_id: the message this one replies to.
        target_id: the message that a reaction, vote, edit or revocation is about.
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


def from_json(content: Mapping[str, Any]) -> Message:
    """Build content from protojson.

    Raises:
        InvalidContentError: it names a field that content does not have, or one has a wrong value.
    """
    try:
        return json_format.ParseDict(dict(content), Message())
    except json_format.ParseError as error:
        raise InvalidContentError(f"the content is not acceptable: {error}") from error


def to_json(raw: bytes) -> dict[str, Any]:
    """Show serialized content as protojson."""
    shown: dict[str, Any] = json_format.MessageToDict(Message.FromString(raw))
    return shown


def text_content(text: str) -> Message:
    """Build a text in the plain field, as phones do."""
    return Message(conversation=text)


def add_context(message: Message, *, quote: Quote | None, mentions: tuple[Jid, ...]) -> None:
    """Let content answer a message and name people.

    Raises:
        InvalidContentError: it is of a kind that can do neither.
    """
    if quote is None and not mentions:
        return
    context = _context_of(message)
    context.mentionedJID.extend(str(mention) for mention in mentions)
    if quote is not None:
        context.stanzaID = quote.message_id
        context.participant = str(quote.sender.account)
        context.quotedMessage.ParseFromString(quote.raw)


def let_disappear(message: Message, seconds: int) -> None:
    """Say after which time content disappears, as a chat's timer has it; 0 is never.

    Content that says so itself, or cannot, stays as it is.
    """
    if not seconds:
        return
    try:
        context = _context_of(message)
    except InvalidContentError:
        return
    context.expiration = context.expiration or seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The message that other content is about.

    Attributes:
        message_id: its id.
        chat: where it was written.
        from_me: whether this account wrote it.
        participant: who else did, where the chat does not tell.
    """

    message_id: str
    chat: Jid
    from_me: bool = True
    participant: Jid | None = None

    def write_to(self, key: Any) -> None:
        """Name it in content."""
        key.remoteJID, key.fromMe, key.ID = str(self.chat.account), self.from_me, self.message_id
        if self.participant is not None:
            key.participant = str(self.participant)


def reaction_content(emoji: str, target: Target) -> Message:
    """Build a reaction; an empty emoji takes it back."""
    message = Message()
    message.reactionMessage.text = emoji
    target.write_to(message.reactionMessage.key)
    return message


def revoke_content(target: Target) -> Message:
    """Build the deletion, for everyone, of a message of this account or (admins) of another."""
    message = Message()
    message.protocolMessage.type = ProtocolMessage.REVOKE
    target.write_to(message.protocolMessage.key)
    return message


def edit_content(new: Message, target: Target) -> Message:
    """Build what a message this account wrote says from now on; phones wrap it."""
    message = Message()
    protocol = message.editedMessage.message.protocolMessage
    protocol.type = ProtocolMessage.MESSAGE_EDIT
    protocol.editedMessage.CopyFrom(new)
    target.write_to(protocol.key)
    return message


def for_companion(content: bytes, *, destination: Jid) -> bytes:
    """Wrap serialized content so that a companion files it under what its own account wrote."""
    message = Message()
    message.deviceSentMessage.destinationJID = str(destination.account)
    message.deviceSentMessage.message.ParseFromString(content)
    wrapped: bytes = message.SerializeToString()
    return wrapped


def read_content(data: bytes) -> Content:
    """Read a decrypted, unpadded message.

    Raises:
        MalformedMessageError: it is not a protocol buffer.
    """
    try:
        message = Message.FromString(data)
    except DecodeError as error:
        raise MalformedMessageError("the content is not a protocol buffer") from error
    if not message.HasField("deviceSentMessage"):
        return _read(message, destination=None)
    sent = message.deviceSentMessage
    return _read(sent.message, destination=Jid.parse(sent.destinationJID))


def unwrapped(message: Message) -> Message:
    """Return what the wrappers around content hold."""
    inner = message
    while True:
        found = next((one.name for one, _ in inner.ListFields() if one.name in _WRAPPERS), None)
        if found is None:
            return inner
        inner = getattr(inner, found).message


def _read(message: Message, *, destination: Jid | None) -> Content:
    raw = message.SerializeToString()
    for field, part in unwrapped(message).ListFields():
        kind = KINDS.get(field.name)
        if kind is None:
            continue
        if field.name == "conversation":
            return Content(kind=kind, text=part, destination=destination, raw=raw)
        if kind == "protocol":
            return _read_protocol(part, destination, raw)
        if kind == "audio" and part.PTT:
            kind = "voice"
        if field.name == "interactiveMessage" and _has_list(part):
            kind = "list_menu"
        return _read_part(kind, part, destination, raw)
    return Content(kind="other", destination=destination, raw=raw)


def _has_list(interactive: Any) -> bool:
    return any(button.name == "single_select" for button in interactive.nativeFlowMessage.buttons)


def _read_protocol(protocol: ProtocolMessage, destination: Jid | None, raw: bytes) -> Content:
    kind, text = "protocol", ""
    if not protocol.HasField("type"):  # one without a name here; it reads as the first, REVOKE
        return Content(kind=kind, destination=destination, raw=raw)
    if protocol.type == ProtocolMessage.MESSAGE_EDIT:
        kind, text = "edit", _read(protocol.editedMessage, destination=None).text
    elif protocol.type == ProtocolMessage.REVOKE and protocol.key.ID:
        kind = "revoke"
    elif protocol.type == ProtocolMessage.EPHEMERAL_SETTING:
        kind = "timer"
    target_id = protocol.key.ID if kind in {"edit", "revoke"} else None
    return Content(kind=kind, text=text, target_id=target_id, destination=destination, raw=raw)


def _read_part(kind: str, part: Any, destination: Jid | None, raw: bytes) -> Content:
    context = getattr(part, "contextInfo", None)
    key = next((getattr(part, name) for name in _KEYS if hasattr(part, name)), None)
    return Content(
        kind=kind,
        text=getattr(part, "text", "") or getattr(part, "caption", ""),
        quoted_id=(context.stanzaID or None) if context is not None else None,
        target_id=(key.ID or None) if key is not None else None,
        mentions=tuple(map(Jid.parse, context.mentionedJID)) if context is not None else (),
        destination=destination,
        raw=raw,
    )


def _context_of(message: Message) -> ContextInfo:
    if message.HasField("conversation"):  # the plain field has no place for a context
        text = message.conversation
        message.ClearField("conversation")
        message.extendedTextMessage.text = text
    for _, part in unwrapped(message).ListFields():
        context = getattr(part, "contextInfo", None)
        if isinstance(context, ContextInfo):
            return context
    raise InvalidContentError("content of this kind can neither answer a message nor name people")
