"""Keys with which messages point at others: read from strangers, and made for what is sent.

A key is written from its sender's point of view: `fromMe` means whoever sends it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.whatsapp.convert.people import People, without_device
from gateway_worker.whatsapp.convert.recipients import GROUP_SERVER, RecipientError, recipient
from gateway_worker.whatsapp.convert.texts import is_message_id, message_id, short_id

_SHARED: Final = (f"@{GROUP_SERVER}", "@broadcast")
"""How the ids of conversations of more than two end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a message that points at another one comes from.

    Attributes:
        chat: The conversation.
        sender: The JID of who wrote it.
        from_me: Whether that is the account itself.
    """

    chat: str
    sender: str
    from_me: bool


def reference(key: Any, origin: Origin, people: People) -> tuple[dict[str, Any], bool]:
    """Return a key as the contract's `MessageReference`, and whether it is told as it is.

    Args:
        key: The library's `MessageKey`.
        origin: The message that it stands in.
        people: Who is who.
    """
    place = short_id(key.remoteJID)
    chat = place if place.endswith("@broadcast") else origin.chat  # a story's writer is told of it
    writer, is_mine = _writer(key, origin, people, is_shared=chat.endswith(_SHARED))
    told: dict[str, Any] = {
        "message_id": message_id(key.ID) or stand_in(key.ID),
        "chat": chat,
        "from_me": is_mine,
    }
    if writer is not None:
        told["participant"] = writer
    return told, is_message_id(key.ID) and writer is not None


def _writer(
    key: Any, origin: Origin, people: People, *, is_shared: bool
) -> tuple[str | None, bool]:
    if key.fromMe:
        return origin.sender, origin.from_me
    if is_shared:
        named = short_id(key.participant)
        if not named:
            return None, False
        return (_me(people), True) if people.is_me(named) else (people.named(named), False)
    # Of two people it is the other one.
    return (origin.chat, False) if origin.from_me else (_me(people), True)


def _me(people: People) -> str | None:
    return None if people.own is None else without_device(people.own.jid)


def fill_key(key: Any, target: Mapping[str, Any], chat: str) -> None:
    """Write a target, as the worker tells it, into the library's `MessageKey`.

    Args:
        key: An empty one.
        target: `message_id`, `participant` and `from_me`.
        chat: The JID that the message goes to.

    Raises:
        RecipientError: The writer is no JID.
    """
    key.ID, key.remoteJID, key.fromMe = target["message_id"], chat, target["from_me"]
    if key.fromMe:
        return
    if not target.get("participant"):
        raise RecipientError("the writer of the message that it is about is not known")
    participant = recipient(target["participant"])
    if chat.endswith(f"@{GROUP_SERVER}"):
        key.participant = participant
