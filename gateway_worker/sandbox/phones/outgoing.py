"""From serialized content to ciphertexts for every device concerned, and again when asked.

Everything up to the hand-over runs without suspension, so messages leave in the order of the calls.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.phones.content import for_companion
from gateway_worker.sandbox.phones.errors import NotDeliveredError, UnknownMessageError
from gateway_worker.sandbox.phones.stanzas import (
    bundle_in_receipt,
    fan_out,
    resend,
)
from gateway_worker.sandbox.signal.padding import pad
from gateway_worker.sandbox.signal.sessions import Ciphertext, PeerAddress, SessionBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.phones.form import Form
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service
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
        to: LID account of the recipient.
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

    def __init__(self, *, service: Service, account: Account, book: SessionBook) -> None:
        self._service = service
        self._account = account
        self._book = book
        self._kept: OrderedDict[str, OutgoingMessage] = OrderedDict()

    async def send(self, message: OutgoingMessage, *, recipient: Account) -> None:
        """Send to every device of the recipient and to this account's own companions.

        Devices whose keys nobody can get are left out, as real clients do.

        Raises:
            NotDeliveredError: the service acked with an error.
        """
        known = dict.fromkeys((*recipient.addresses, *self._account.addresses))
        others = [device for device in known if device != self._account.lid]
        without: list[Jid] = []
        if message.phone_only:
            without = [device for device in others if device.device]
            others = [device for device in others if not device.device]
        ciphertexts = list(self._encrypt(message, others))
        self._keep(message)
        attrs = self._attrs(message)
        stanza = fan_out(attrs, message.to, ciphertexts, message.form, without=without)
        ack = await self._service.relay.submit(self._account.lid, stanza)
        if ack is not None and ack.get("error"):
            raise NotDeliveredError(f"the service answered with error {ack.get('error')}")

    def send_again(self, receipt: Node) -> None:
        """Answer a retry receipt: a new session with the asking device, and the message again.

        Raises:
            UnknownMessageError: the message is not kept (any more), or was asked for too often.
            MalformedMessageError: the keys in the receipt are incomplete.
            UntrustedBundleError: or not signed by the device.
        """
        device = receipt.require_jid("from")
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
        for _, ciphertext in self._encrypt(message, [device]):
            attrs = self._attrs(message)
            if device.user == self._account.lid.user:
                attrs["recipient"] = message.to
            stanza = resend(attrs, device, ciphertext, message.form, count=count)
            self._service.relay.route(self._account.lid, stanza)

    def _encrypt(
        self, message: OutgoingMessage, devices: Iterable[Jid]
    ) -> Iterable[tuple[Jid, Ciphertext]]:
        wanted = list(devices)
        missing = [device for device in wanted if not self._book.has_session(peer_of(device))]
        for device, bundle in self._service.keys.fetch(missing).items():
            self._book.open(peer_of(device), bundle)
        for device in wanted:
            if not self._book.has_session(peer_of(device)):
                log.warning("sandbox.phone.device_left_out", device=device.device)
                continue
            content = message.content
            if device.user == self._account.lid.user and message.to.user != self._account.lid.user:
                content = for_companion(content, destination=message.to)
            yield device, self._book.encrypt(peer_of(device), pad(content))

    def _attrs(self, message: OutgoingMessage) -> Attrs:
        return {"id": message.message_id, **message.form.message}

    def _keep(self, message: OutgoingMessage) -> None:
        self._kept[message.message_id] = message
        if len(self._kept) > KEPT_FOR_RETRY:
            self._kept.popitem(last=False)
