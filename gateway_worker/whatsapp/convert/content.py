"""What a message says: found under its wrappers, and told by its kind or as the kind's name."""

from dataclasses import dataclass
from typing import Any, Final, Self

from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.whatsapp.convert.kinds import CONVERTED, Converted
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import message_id
from gateway_worker.whatsapp.convert.wrappers import taken_apart

_ANNOUNCED_PROTOCOL: Final = frozenset({"REVOKE", "MESSAGE_EDIT"})
"""The kinds of `protocolMessage` that change what a person sees; the rest is between devices."""
_VIEW_ONCE: Final = frozenset(
    {"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"}
)
"""The wrappers of what may be seen once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a message says.

    Attributes:
        content: As the contract writes it.
        quoted_id: The message that it quotes.
        quoted_participant: Who wrote that one.
        is_partial: Something of it was cut or left out.
        about: The library's key of the message that it is about, which is still to be told.
        media: Where its file is, if it has one that can be fetched.
    """

    content: dict[str, Any]
    quoted_id: str | None = None
    quoted_participant: str | None = None
    is_partial: bool = False
    about: Any = None
    media: MediaReference | None = None

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
    if kind == "protocolMessage":
        return _change(kind, value, people)
    told = _told(_with_use(kind, value), value, people)
    if "view_once" in told.content and (is_view_once or around & _VIEW_ONCE):
        told.content["view_once"] = True
    context = _context(value)
    quoted = None if context is None else message_id(context.stanzaID)
    return Said(
        content=told.content,
        about=told.about,
        media=told.media,
        quoted_id=quoted,
        quoted_participant=people.named(context.participant)
        if quoted and context.participant
        else None,
        is_partial=told.is_partial or (quoted is None and bool(context and context.stanzaID)),
    )


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
    if name is None or name.name not in _ANNOUNCED_PROTOCOL:
        return None
    told = _told(f"{kind}.{name.name}", value, people)
    return Said(content=told.content, is_partial=told.is_partial, about=told.about)


def _context(value: Any) -> Any:
    field = value.DESCRIPTOR.fields_by_name.get("contextInfo") if _is_message(value) else None
    return value.contextInfo if field is not None and value.HasField("contextInfo") else None


def _is_message(value: Any) -> bool:
    return hasattr(value, "DESCRIPTOR")
