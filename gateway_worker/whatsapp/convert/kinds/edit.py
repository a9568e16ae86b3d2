"""The new text of a message, or what an appointment or a poll says from now on."""

import time
from dataclasses import replace
from typing import Any, Final

from gateway_worker.whatsapp.convert.captions import caption_of
from gateway_worker.whatsapp.convert.kinds import event, poll, text
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.recipients import RecipientError
from gateway_worker.whatsapp.convert.wrappers import unwrapped

_FIELD: Final = "protocolMessage.MESSAGE_EDIT"
_CAPTIONED: Final = {
    "image": "imageMessage",
    "video": "videoMessage",
    "document": "documentMessage",
}
"""The kinds of which the caption is edited, with their fields."""


def _compose(content: Content, composing: Composing) -> Any:
    if not composing.about.fromMe:
        raise RecipientError("only messages of the account's own can be edited")
    library = composing.library
    change = library.ProtocolMessage(
        key=composing.about,
        type=library.ProtocolMessage.MESSAGE_EDIT,
        editedMessage=_edited(content, composing),
        timestampMS=time.time_ns() // 1_000_000,
    )
    inner = library.Message(protocolMessage=change)
    return library.Message(editedMessage=library.FutureProofMessage(message=inner))


def _edited(content: Content, composing: Composing) -> Any:
    """Return the new content: phones that get a text for a file show the file without a caption."""
    library, field = composing.library, _CAPTIONED.get(composing.about_kind or "")
    if field is None:
        compose_text = text.KIND.compose
        assert compose_text is not None
        return compose_text(content, composing)
    message = library.Message()
    edited = getattr(message, field)
    edited.caption = content["text"]
    if composing.context is not None:
        edited.contextInfo.CopyFrom(composing.context)
    return message


def _convert(value: Any, people: People) -> Converted:
    key = type(value.key)()
    key.CopyFrom(value.key)
    key.fromMe = True  # nobody can edit what another one wrote, whatever the key says
    kind, edited = unwrapped(value.editedMessage)
    whole = _whole(kind or "", edited, people)
    if whole is not None:
        return replace(whole, about=key)
    if kind is not None and kind in text.KIND.fields:
        new = text.KIND.fields[kind](edited, people)
        content, is_partial = {**new.content, "kind": "edit"}, new.is_partial
        content.pop("mention_all", None)
    elif isinstance(getattr(edited, "caption", None), str | bytes):
        told, is_whole = caption_of(edited, people)
        mentions = {"mentions": told["mentions"]} if told["mentions"] else {}
        content = {"kind": "edit", "text": told.get("caption", ""), **mentions}
        is_partial = not is_whole
    else:
        return Converted(content={"kind": "unsupported", "message_type": _FIELD})
    return Converted(content=content, is_partial=is_partial, about=key)


def _whole(kind: str, edited: Any, people: People) -> Converted | None:
    """Return what an appointment or a poll says from now on; None for what is neither."""
    if kind in event.KIND.fields:
        new = event.KIND.fields[kind](edited, people)
        told = {"kind": "edit", "text": new.content["name"], "event": new.content}
    elif kind in poll.KIND.fields:
        new = poll.KIND.fields[kind](edited, people)
        told = {"kind": "edit", "text": new.content["question"], "poll": new.content}
    else:
        return None
    return replace(new, content=told)


KIND: Final = Kind(
    name="edit",
    compose=_compose,
    fields={_FIELD: _convert},
    event="wa.message.edited.v1",
)
