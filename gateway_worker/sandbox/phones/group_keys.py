"""Sender keys on their way to those who read: inside of content, and who has which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.phones.wa_e2e import Message
from gateway_worker.sandbox.signal.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway_worker.sandbox.signal.sender_keys import SenderKeyBook
    from gateway_worker.sandbox.wire.jid import Jid


def with_key(content: bytes, *, chat: Jid, key: bytes) -> bytes:
    """Add a sender key to content, or make content that is nothing else.

    Serialized fields can be put together as they are, so the content may also be none.
    """
    message = Message()
    message.senderKeyDistributionMessage.groupID = str(chat)
    message.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = key
    field: bytes = message.SerializeToString()
    return field + content


def without_key(content: bytes) -> tuple[bytes, bytes]:
    """Part decrypted content into what is shown and the sender key in it; either can be empty.

    Raises:
        MalformedMessageError: it is not a protocol buffer.
    """
    try:
        message = Message.FromString(content)
    except DecodeError as error:
        raise MalformedMessageError("the content is not a protocol buffer") from error
    key: bytes = message.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage
    message.ClearField("senderKeyDistributionMessage")
    return message.SerializeToString(), key


class GivenKeys:
    """To which devices this one has given its keys.

    A device that reads no more (its account has left, or it was unlinked) must not read what comes:
    a new key is drawn then, which is given to all.
    """

    def __init__(self, *, book: SenderKeyBook) -> None:
        """Work on the keys of this device."""
        self._book = book
        self._given: dict[Jid, set[Jid]] = {}

    def missing(self, chat: Jid, devices: Iterable[Jid]) -> Sequence[Jid]:
        """Return those of the devices that read a chat now that lack the key of it."""
        reading = tuple(dict.fromkeys(devices))
        given = self._given.setdefault(chat, set())
        if not given <= set(reading):
            self._book.renew(str(chat))
            given.clear()
        return tuple(device for device in reading if device not in given)

    def note(self, chat: Jid, devices: Iterable[Jid]) -> None:
        """Remember that devices were given the key of a chat."""
        self._given.setdefault(chat, set()).update(devices)
