"""What a message says: found under its wrappers, and told by its kind or as the kind's name."""

from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.whatsapp.convert.envelope import envelope
from gateway_worker.whatsapp.convert.kinds import CONVERTED, Converted
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.seals import COMMENT, is_sealed
from gateway_worker.whatsapp.convert.texts import message_id, short
from gateway_worker.whatsapp.convert.wrappers import layers, taken_apart, unwrapped

_ANNOUNCED_PROTOCOL: Final = frozenset({"REVOKE", "MESSAGE_EDIT", "EPHEMERAL_SETTING"})
"""The kinds of `protocolMessage` that change what a person sees."""
_NAMED_PROTOCOL: Final = frozenset({"SHARE_PHONE_NUMBER", "STATUS_MENTION_MESSAGE"})
"""Those that say something to a person and have no kind here; the rest is between devices."""
_VIEW_ONCE: Final = frozenset(
    {"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"}
)
"""The wrappers of what may be seen once."""
_SAYS: Final = ("text", "caption", "question", "place", "title", "name", "file_name")
"""The fields of contents that say in a word what it is."""
_QUOTED_CHARACTERS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a message says.

    Attributes:
        content: As the contract writes it.
        envelope: What is told beside the content, as the event's `data` has it.
        is_partial: Something of it was cut or left out.
        about: The library's key of the message that it is about, which is still to be told.
        media: Where its file is, if it has one that can be fetched.
        is_sealed: What it says is still to be opened, with the secret of another message.
        comment_on: The library's key of the message that it is a comment on.
        identity: Its id, where that in the event is another message's.
    """

    content: dict[str, Any]
    envelope: dict[str, Any] = field(default_factory=dict)
    is_partial: bool = False
    about: Any = None
    media: MediaReference | None = None
    is_sealed: bool = False
    comment_on: Any = None
    identity: str | None = None

    @classmethod
    def unsupported(cls, kind: str, *, is_partial: bool = False) -> Self:
        """Return what is told of a content that is not: the library's name of its kind."""
        return cls(content=_unsupported(kind), is_partial=is_partial)


def said(message: Any, people: People, *, is_view_once: bool = False) -> Said | None:
    """Return what a message says; None if nobody said anything (keys, settings, sync).

    Args:
        message: The library's `Message`.
        people: Who is who.
        is_view_once: Whether the library has taken the wrapper of what may be seen once from it.
    """
    kind, value, around = taken_apart(message)
    if kind is None:
        return None
    if is_sealed(kind, value):
        return replace(Said.unsupported(kind), is_sealed=True)
    if kind == "protocolMessage":
        return _change(kind, value, people)
    if kind == COMMENT:
        return _comment(value, people)
    told = _told(_with_use(kind, value), value, people)
    if "view_once" in told.content and (is_view_once or around & _VIEW_ONCE):
        told.content["view_once"] = True
    fields, is_whole = _envelope(value, people)
    return _said(told, (fields | _association(message, is_wrapped=bool(around)), is_whole))


def _said(told: Converted, beside: tuple[dict[str, Any], bool] = ({}, True)) -> Said:
    fields, is_whole = beside
    return Said(
        content=told.content,
        envelope=fields,
        is_partial=told.is_partial or not is_whole,
        about=told.about,
        media=told.media,
        is_sealed=told.is_sealed,
    )


def _envelope(value: Any, people: People) -> tuple[dict[str, Any], bool]:
    """Return what is told beside a content, and whether it is told as it is."""
    context = _context(value)
    fields, is_whole = ({}, True) if context is None else envelope(context, people)
    if context is not None and "reply_to" in fields:
        fields["reply_to"] |= _quoted(context.quotedMessage, people)
    return fields, is_whole


def _association(message: Any, *, is_wrapped: bool) -> dict[str, Any]:
    """Return which other message one belongs to, as an event's `data` has it."""
    for layer in layers(message) if is_wrapped else (message,):
        found = layer.messageContextInfo.messageAssociation
        kind, parent = found.associationType, found.parentMessageKey.ID
        if kind and (identity := message_id(parent)) is not None:
            if kind == found.MEDIA_ALBUM:
                return {"album_id": identity}
            if kind in {found.HD_IMAGE_DUAL_UPLOAD, found.HD_VIDEO_DUAL_UPLOAD}:
                return {"hd_of": identity}
    return {}


def _quoted(message: Any, people: People) -> dict[str, Any]:
    """Return kind and text of a message that is quoted; what that one quotes is not read."""
    kind, value = unwrapped(message)
    if kind is None:
        return {}
    content = _told(_with_use(kind, value), value, people).content
    text = next((content[name] for name in _SAYS if content.get(name)), None)
    told = {"kind": content["kind"]}
    return told if text is None else told | {"text": short(text, _QUOTED_CHARACTERS)}


def _with_use(kind: str, value: Any) -> str:
    """Return the name of a field, with its use if it has several."""
    return "audioMessage.PTT" if kind == "audioMessage" and value.PTT else kind


def _unsupported(kind: str) -> dict[str, Any]:
    return {"kind": "unsupported", "message_type": kind}


def _told(kind: str, value: Any, people: People) -> Converted:
    convert = CONVERTED.get(kind)
    return Converted(content=_unsupported(kind)) if convert is None else convert(value, people)


def _change(kind: str, value: Any, people: People) -> Said | None:
    """Return what a `protocolMessage` changes; None if no person sees it."""
    if not value.HasField("type"):  # one that has no name yet; it reads as the first, REVOKE
        return Said.unsupported(kind, is_partial=True)
    name = value.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number.get(value.type)
    if name is not None and name.name in _NAMED_PROTOCOL:
        return Said.unsupported(f"{kind}.{name.name}")
    if name is None or name.name not in _ANNOUNCED_PROTOCOL:
        return None
    return _said(_told(f"{kind}.{name.name}", value, people))


def _comment(value: Any, people: People) -> Said | None:
    """Return what a comment says, with the message that it is on."""
    if unwrapped(value.message)[0] == COMMENT:
        return Said.unsupported("nested", is_partial=True)
    content = said(value.message, people)
    return None if content is None else replace(content, comment_on=value.targetMessageKey)


def _context(value: Any) -> Any:
    field = value.DESCRIPTOR.fields_by_name.get("contextInfo") if _is_message(value) else None
    return value.contextInfo if field is not None and value.HasField("contextInfo") else None


def _is_message(value: Any) -> bool:
    return hasattr(value, "DESCRIPTOR")
