"""What a stanza says, in the clear, about the content that is sealed in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.phones.content import unwrapped
from gateway_worker.sandbox.phones.wa_e2e import ProtocolMessage

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.wa_e2e import Message
    from gateway_worker.sandbox.wire.node import Attrs

_TYPES: Final = {
    "reactionMessage": "reaction",
    "encReactionMessage": "reaction",
    "pollCreationMessage": "poll",
    "pollUpdateMessage": "poll",
}
_MEDIA: Final = {
    "imageMessage": "image",
    "videoMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "contactMessage": "vcard",
    "contactsArrayMessage": "contact_array",
}
_HIDDEN: Final = frozenset(
    ("reactionMessage", "encReactionMessage", "pollUpdateMessage", "encEventResponseMessage")
)
_EDIT, _PIN, _REVOKE, _REVOKE_AS_ADMIN = "1", "2", "7", "8"
_CODES: Final = {"pinInChatMessage": _PIN, "secretEncryptedMessage": _EDIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Attributes of a message's stanza, of each ciphertext in it, and of its `meta`, if any."""

    message: Attrs
    ciphertext: Attrs
    meta: Attrs = field(default_factory=dict)


NO_FORM: Final = Form(message={}, ciphertext={})


def form_of(message: Message) -> Form:
    """Return the form in which phones send such content."""
    stanza: Attrs = {"type": "text"}
    sealed: Attrs = {}
    meta: Attrs = {}
    for one, part in unwrapped(message).ListFields():
        media = _mediatype(one.name, part)
        if media:
            sealed["mediatype"] = media
        stanza["type"] = _TYPES.get(one.name, "media" if media else str(stanza["type"]))
        edit = _edit(one.name, part)
        if edit:
            stanza["edit"] = edit
        if one.name in _HIDDEN:
            sealed["decrypt-fail"] = "hide"
        if one.name == "encCommentMessage":
            meta["thread_msg_id"] = part.targetMessageKey.ID
    return Form(message=stanza, ciphertext=sealed, meta=meta)


def _mediatype(name: str, part: Any) -> str:
    if name == "audioMessage" and part.PTT:
        return "ptt"
    if name == "videoMessage" and part.gifPlayback:
        return "gif"
    return _MEDIA.get(name, "")


def _edit(name: str, part: Any) -> str:
    if name in _CODES:
        return _CODES[name]
    if name == "reactionMessage":
        return "" if part.text else _REVOKE
    if name != "protocolMessage" or not part.HasField("type"):
        return ""
    if part.type == ProtocolMessage.MESSAGE_EDIT:
        return _EDIT
    if part.type == ProtocolMessage.REVOKE and part.key.ID:
        return _REVOKE if part.key.fromMe else _REVOKE_AS_ADMIN
    return ""
