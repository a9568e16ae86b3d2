"""From serialized content to ciphertexts for every device concerned, and again when asked.

Between two each device gets a ciphertext of its own. In a group there is one for all, under a key
that each device is given before (`group_keys`).

Everything up to the hand-over runs without suspension, so messages leave in the order of the calls.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.phones.content import for_companion
from gateway_worker.sandbox.phones.errors import NotDeliveredError, UnknownMessageError
from gateway_worker.sandbox.phones.group_keys import GivenKeys, with_key
from gateway_worker.sandbox.phones.stanzas import (
    bundle_in_receipt,
    fan_out,
    resend,
    resend_in,
    to_many,
    writer_of,
)
from gateway_worker.sandbox.signal.padding import pad
from gateway_worker.sandbox.signal.sessions import Ciphertext, PeerAddress, SessionBook
from gateway_worker.sandbox.wire.jid import STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gateway_worker.sandbox.phones.form import Form
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.signal.sender_keys import SenderKeyBook
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs, Node

KEPT_FOR_RETRY: Final = 2000
MAX_RETRIES: Final = 5

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message on its way: kept for a while, because a receiver may ask for it again.

    Attributes:
        message_id: chosen by the phone.
        to: LID account of the recipient, a group, or status.
        content: serialized, neither padded nor wrapped.
        form: what the stanza says about the content.
        phone_only: whether linked devices get a placeholder instead.
    """

    message_id: str
    to: Jid
    content: bytes = field(repr=False)
    form: Form
    phone_only: bool = False


def peer_of(device: Jid) -> PeerAddress:
    """Name the session with a device."""
    return PeerAddress(user=device.user, device=device.device)


class Outgoing:
    """Encrypts and hands over. One per phone."""

    def __init__(
        self, *, service: Service, account: Account, book: SessionBook, sender_keys: SenderKeyBook
    ) -> None:
        self._service = service
        self._account = account
        self._book = book
        self._sender_keys = sender_keys
        self._given = GivenKeys(book=sender_keys)
        self._kept: OrderedDict[str, OutgoingMessage] = OrderedDict()

    async def send(self, message: OutgoingMessage, *, readers: Iterable[Account]) -> None:
        """Send to every device of the readers and to this account's own companions.

        Devices whose keys nobody can get are left out, as real clients do.

        Raises:
            NotDeliveredError: the service acked with an error.
        """
        known = [device for account in readers for device in account.addresses]
        known = list(dict.fromkeys((*known, *self._account.addresses)))
        others = [device for device in known if device != self._account.lid]
        without = [device for device in others if device.device and message.phone_only]
        if not message.to.is_shared:
            await self._hand_over(message, self._sealed_for_each(message, others, without))
            return
        keys, sealed = self._sealed_for_all(message, others, without)
        stanza = fan_out(self._attrs(message), message.to, (), message.form, without=without)
        await self._hand_over(message, to_many(stanza, sealed, keys, message.form))
        # Not before: of a message that is refused nobody gets the key.
        self._given.note(message.to, [device for device, _ in keys])

    def send_again(self, receipt: Node) -> None:
        """Answer a retry receipt: a new session with the asking device, and the message again.

        Raises:
            UnknownMessageError: the message is not kept (any more), or was asked for too often.
            MalformedMessageError: the keys in the receipt are incomplete.
            UntrustedBundleError: or not signed by the device.
        """
        device = writer_of(receipt)
        retry = receipt.require_child("retry")
        message = self._kept.get(retry.get("id") or receipt.require("id"))
        count = int(retry.get("count", "1"))
        if message is None or count > MAX_RETRIES:
            raise UnknownMessageError("asked to send a message again that is not kept")
        bundle = bundle_in_receipt(receipt)
        if bundle is None:
            bundle = self._service.keys.fetch([device]).get(device)
        if bundle is not None:
            self._book.open(peer_of(device), bundle)
        again = self._again_in_chat if message.to.is_shared else self._again
        stanza = again(message, device, count)
        if stanza is not None:
            self._service.relay.route(self._account.lid, stanza)

    def _sealed_for_each(
        self, message: OutgoingMessage, devices: Sequence[Jid], without: Sequence[Jid]
    ) -> Node:
        receiving = [device for device in devices if device not in without]
        ciphertexts = list(self._encrypt(receiving, lambda device: self._copy(message, device)))
        return fan_out(self._attrs(message), message.to, ciphertexts, message.form, without=without)

    def _sealed_for_all(
        self, message: OutgoingMessage, devices: Sequence[Jid], without: Sequence[Jid]
    ) -> tuple[Sequence[tuple[Jid, Ciphertext]], Ciphertext]:
        """Return the key for each device that lacks it, and what can be read with it."""
        missing = self._given.missing(message.to, devices)
        if message.to == STATUS:  # the service knows from it who sees the message
            missing = devices
        receiving = [device for device in missing if device not in without]
        content = self._with_key(message, b"")
        keys = list(self._encrypt(receiving, lambda _device: content))
        return keys, self._sender_keys.encrypt(str(message.to), pad(message.content))

    async def _hand_over(self, message: OutgoingMessage, stanza: Node) -> None:
        self._keep(message)
        ack = await self._service.relay.submit(self._account.lid, stanza)
        if ack is not None and ack.get("error"):
            raise NotDeliveredError(f"the service answered with error {ack.get('error')}")

    def _again(self, message: OutgoingMessage, device: Jid, count: int) -> Node | None:
        attrs = self._attrs(message)
        if device.user == self._account.lid.user:
            attrs["recipient"] = message.to
        for _, ciphertext in self._encrypt([device], lambda one: self._copy(message, one)):
            return resend(attrs, device, ciphertext, message.form, count=count)
        return None

    def _again_in_chat(self, message: OutgoingMessage, device: Jid, count: int) -> Node | None:
        """Build the answer in a chat with several people: with the key, for that may be missing."""
        content = self._with_key(message, message.content)
        for _, sealed in self._encrypt([device], lambda _device: content):
            attrs = self._attrs(message)
            return resend_in(message.to, attrs, device, sealed, message.form, count=count)
        return None

    def _with_key(self, message: OutgoingMessage, content: bytes) -> bytes:
        key = self._sender_keys.distribution(str(message.to))
        return with_key(content, chat=message.to, key=key)

    def _copy(self, message: OutgoingMessage, device: Jid) -> bytes:
        if device.user == self._account.lid.user and message.to.user != self._account.lid.user:
            return for_companion(message.content, destination=message.to)
        return message.content

    def _encrypt(
        self, devices: Iterable[Jid], content_for: Callable[[Jid], bytes]
    ) -> Iterator[tuple[Jid, Ciphertext]]:
        wanted = list(devices)
        missing = [device for device in wanted if not self._book.has_session(peer_of(device))]
        for device, bundle in self._service.keys.fetch(missing).items():
            self._book.open(peer_of(device), bundle)
        for device in wanted:
            if not self._book.has_session(peer_of(device)):
                log.warning("sandbox.phone.device_left_out", device=device.device)
                continue
            yield device, self._book.encrypt(peer_of(device), pad(content_for(device)))

    def _attrs(self, message: OutgoingMessage) -> Attrs:
        return {"id": message.message_id, **message.form.message}

    def _keep(self, message: OutgoingMessage) -> None:
        self._kept[message.message_id] = message
        if len(self._kept) > KEPT_FOR_RETRY:
            self._kept.popitem(last=False)
