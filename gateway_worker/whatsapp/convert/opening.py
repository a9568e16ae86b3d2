"""Opens what is encrypted once more, with what the device store has of the message it is about."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from google.protobuf.message import DecodeError

from gateway_worker.whatsapp.convert.history import HistoryChat
from gateway_worker.whatsapp.convert.message_secrets import decrypted
from gateway_worker.whatsapp.convert.people import People, address, without_device
from gateway_worker.whatsapp.convert.seals import SEALS, Seal, is_sealed
from gateway_worker.whatsapp.convert.texts import clean
from gateway_worker.whatsapp.convert.wrappers import unwrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSecret:
    """The secret of a message.

    Attributes:
        writers: Who wrote the message: one person's JIDs, by LID and by number as far as known.
        secret: 32 bytes.
    """

    writers: tuple[str, ...]
    secret: bytes


SecretsOf = Callable[[str, str], Sequence[MessageSecret]]
"""Returns the secrets that may be a message's, by the JID of its chat and by its id."""


def opened_event(event: Any, *, people: People, secrets_of: SecretsOf) -> Any:
    """Return a message event whose content is in the open; None if it cannot be opened.

    Args:
        event: The library's.
        people: Who is who.
        secrets_of: What the device store has.
    """
    source = event.Info.MessageSource
    named = [address(one) for one in (source.Sender, source.SenderAlt) if one.User]
    message = _opened(
        event.Message,
        chat=address(source.Chat),
        senders=_ids(named, people, is_me=source.IsFromMe),
        secrets_of=secrets_of,
    )
    if message is None:
        return None
    found = type(event)()
    found.CopyFrom(event)
    found.Message.CopyFrom(message)
    return found


def opened_past(info: Any, chat: HistoryChat, *, people: People, secrets_of: SecretsOf) -> Any:
    """Return the content in the open of a message of a history; None if it cannot be opened.

    Args:
        info: The library's `WebMessageInfo`.
        chat: Where it stands.
        people: Who is who.
        secrets_of: What the device store has.
    """
    key, partner = info.key, chat.partner
    if partner is None:
        named = [without_device(clean(info.participant or key.participant))]
    else:
        named = [] if key.fromMe else [partner.jid, partner.lid or partner.jid]
    return _opened(
        info.message,
        chat=chat.chat,
        senders=_ids(named, people, is_me=key.fromMe),
        secrets_of=secrets_of,
    )


def _opened(message: Any, *, chat: str, senders: Sequence[str], secrets_of: SecretsOf) -> Any:
    field, value = unwrapped(message)
    if field is None or not is_sealed(field, value):
        return None
    seal = SEALS[field]
    hidden = _hidden(seal, value, chat=chat, senders=senders, secrets_of=secrets_of)
    if hidden is None:
        return None
    found = type(message)()
    try:
        seal.write(found, value, hidden)
    except DecodeError:
        return None
    return found


def _hidden(
    seal: Seal, value: Any, *, chat: str, senders: Sequence[str], secrets_of: SecretsOf
) -> bytes | None:
    key, purpose = getattr(value, seal.key), seal.purpose(value)
    message_id = clean(key.ID)
    if purpose is None or not message_id:
        return None
    for one in secrets_of(chat, message_id):
        for writer, sender in _pairs(seal, key, one, senders):
            hidden = decrypted(
                value.encPayload,
                value.encIV,
                secret=one.secret,
                message_id=message_id,
                writer=writer,
                sender=sender,
                purpose=purpose,
                names_sender=seal.names_sender,
            )
            if hidden is not None:
                return hidden
    return None


def _pairs(
    seal: Seal, key: Any, secret: MessageSecret, senders: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """Return the ids of writer and sender that the key may have been made of."""
    if seal.is_writers:
        if not set(secret.writers) & set(senders):
            return ()  # whoever knows the secret could pass for its writer
        same = dict.fromkeys((*secret.writers, *senders))
        return product(same, same)
    named = without_device(clean(key.participant))
    writers = dict.fromkeys((*secret.writers, named) if named else secret.writers)
    return product(writers, senders)


def _ids(named: Sequence[str], people: People, *, is_me: bool) -> tuple[str, ...]:
    """Return all that is known of the ids of one person."""
    own = people.own
    mine = [one for one in (own.jid, own.lid) if one] if is_me and own is not None else []
    found = [*named, *map(without_device, mine)]
    return tuple(dict.fromkeys((*found, *map(people.named, found))))
