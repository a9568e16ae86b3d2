"""What a message says: found under its wrappers, as text or as the name of its kind."""

from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import clean, message_id

MAX_TEXT_CHARACTERS: Final = 262_144
"""More than any client sends; what is longer is cut, so that it fits a frame."""
MAX_MENTIONS: Final = 1_024
_DEEPEST_WRAPPING: Final = 8
_WRAPPER_TYPES: Final = frozenset({"FutureProofMessage", "DeviceSentMessage"})
_BESIDE_CONTENT: Final = frozenset(
    {
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "stickerSyncRmrMessage",
        "groupRootKeyShare",
        "rootSecretDistributeMessage",
        "placeholderMessage",
        "deviceSentMessage",
    }
)
"""Fields that serve the protocol. Alone they are no message that anybody wrote."""
_ANNOUNCED_PROTOCOL: Final = frozenset({"REVOKE", "MESSAGE_EDIT"})
"""The kinds of `protocolMessage` that change what a person sees; the rest is between devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a message says.

    Attributes:
        kind: The library's name of the field that holds it.
        text: The text, or None if it is another kind.
        mentions: JIDs.
        quoted_id: The message that it quotes.
        quoted_participant: Who wrote that one.
        is_partial: Something of it was cut or left out.
    """

    kind: str
    text: str | None = None
    mentions: tuple[str, ...] = ()
    quoted_id: str | None = None
    quoted_participant: str | None = None
    is_partial: bool = False


def said(message: Any, people: People) -> Said | None:
    """Return what a message says; None if nobody said anything (keys, settings, sync)."""
    kind, value = _unwrapped(message)
    if kind is None:
        return None
    if kind == "conversation":
        return Said(kind=kind, text=_text(value), is_partial=_is_too_long(value))
    if kind == "protocolMessage":
        return _change(kind, value)
    context = _context(value)
    text = _text(value.text) if kind == "extendedTextMessage" else None
    is_partial = text is not None and _is_too_long(value.text)
    if context is None:
        return Said(kind=kind, text=text, is_partial=is_partial)
    quoted = message_id(context.stanzaID)
    is_partial |= quoted is None and bool(context.stanzaID)
    is_partial |= text is not None and len(context.mentionedJID) > MAX_MENTIONS
    return Said(
        kind=kind,
        text=text,
        mentions=() if text is None else _mentions(context, people),
        quoted_id=quoted,
        quoted_participant=people.named(context.participant)
        if quoted and context.participant
        else None,
        is_partial=is_partial,
    )


def _change(kind: str, value: Any) -> Said | None:
    """Return what a `protocolMessage` changes; None if no person sees it."""
    if not value.HasField("type"):  # one that has no name yet; it reads as the first, REVOKE
        return Said(kind=kind, is_partial=True)
    name = value.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number.get(value.type)
    if name is None or name.name not in _ANNOUNCED_PROTOCOL:
        return None
    return Said(kind=f"{kind}.{name.name}")


def _unwrapped(message: Any) -> tuple[str | None, Any]:
    for _ in range(_DEEPEST_WRAPPING):
        found = next(
            (
                (field, value)
                for field, value in message.ListFields()
                if field.name not in _BESIDE_CONTENT or _wraps(field, value)
            ),
            None,
        )
        if found is None:
            return None, None
        field, value = found
        if not _wraps(field, value):
            return field.name, value
        message = value.message
    return "nested", message


def _wraps(field: Any, value: Any) -> bool:
    inner = field.message_type
    return inner is not None and inner.name in _WRAPPER_TYPES and value.HasField("message")


def _context(value: Any) -> Any:
    field = value.DESCRIPTOR.fields_by_name.get("contextInfo") if _is_message(value) else None
    return value.contextInfo if field is not None and value.HasField("contextInfo") else None


def _is_message(value: Any) -> bool:
    return hasattr(value, "DESCRIPTOR")


def _text(text: str | bytes) -> str:
    return clean(text[:MAX_TEXT_CHARACTERS])


def _is_too_long(text: str | bytes) -> bool:
    return len(text) > MAX_TEXT_CHARACTERS


def _mentions(context: Any, people: People) -> tuple[str, ...]:
    return tuple(people.named(jid) for jid in context.mentionedJID[:MAX_MENTIONS])
