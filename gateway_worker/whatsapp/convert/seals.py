"""What WhatsApp's apps encrypt once more, with the secret of the message that it is about.

Reactions to and comments on a community's announcements, answers to appointments, and, by newer
apps, every edit. The library tells it as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.whatsapp.convert.wrappers import unwrapped

_EDIT: Final = "protocolMessage"
COMMENT: Final = "commentMessage"
_EDITS: Final = {
    "MESSAGE_EDIT": "Message Edit",
    "EVENT_EDIT": "Event Edit",
    "POLL_EDIT": "Poll Edit",
}
"""By the library's name of what is changed; the rest is no change that its writer makes."""


def _always(purpose: str) -> Callable[[Any], str | None]:
    return lambda _value: purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """How one field of the library's `Message` is encrypted.

    Attributes:
        key: The field with the key of the message whose secret it is.
        purpose: Returns what the encryption is for, by WhatsApp's name; None if that is not known.
        write: Writes what was hidden into a new `Message` that says it in the open. Raises
            `DecodeError` for what is none.
        names_sender: Whether who sends it is authenticated beside it.
        is_writers: Only the writer of the other message makes such a thing.
    """

    key: str
    purpose: Callable[[Any], str | None]
    write: Callable[[Any, Any, bytes], None]
    names_sender: bool = False
    is_writers: bool = False


def _write_reaction(message: Any, value: Any, hidden: bytes) -> None:
    message.reactionMessage.ParseFromString(hidden)
    message.reactionMessage.key.CopyFrom(value.targetMessageKey)


def _write_comment(message: Any, value: Any, hidden: bytes) -> None:
    written = type(message).FromString(hidden)
    message.commentMessage.targetMessageKey.CopyFrom(value.targetMessageKey)
    field, inner = unwrapped(written)
    message.commentMessage.message.CopyFrom(inner.message if field == COMMENT else written)


def _write_edit(message: Any, value: Any, hidden: bytes) -> None:
    written = type(message).FromString(hidden)
    field, inner = unwrapped(written)
    change = message.protocolMessage
    change.type = change.MESSAGE_EDIT
    change.key.CopyFrom(value.targetMessageKey)
    change.editedMessage.CopyFrom(inner.editedMessage if field == _EDIT else written)


def _write_response(message: Any, value: Any, hidden: bytes) -> None:
    response = message.encEventResponseMessage  # there is no other field for it
    response.eventCreationMessageKey.CopyFrom(value.eventCreationMessageKey)
    response.encPayload = hidden


def _purpose_of_edit(value: Any) -> str | None:
    kinds = value.DESCRIPTOR.fields_by_name["secretEncType"].enum_type.values_by_number
    return _EDITS.get(kinds[value.secretEncType].name)


SEALS: Final[Mapping[str, Seal]] = {
    "encReactionMessage": Seal(
        key="targetMessageKey", purpose=_always("Enc Reaction"), write=_write_reaction
    ),
    "encCommentMessage": Seal(
        key="targetMessageKey", purpose=_always("Enc Comment"), write=_write_comment
    ),
    "encEventResponseMessage": Seal(
        key="eventCreationMessageKey",
        purpose=_always("Event Response"),
        write=_write_response,
        names_sender=True,
    ),
    "secretEncryptedMessage": Seal(
        key="targetMessageKey", purpose=_purpose_of_edit, write=_write_edit, is_writers=True
    ),
}
"""By the field."""


def is_sealed(field: str, value: Any) -> bool:
    """Whether a field of the library's `Message` is still encrypted once more."""
    return field in SEALS and bool(value.encIV)
