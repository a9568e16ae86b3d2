"""What a phone writes: put together, recorded as its own, and handed over; and what it confirms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway_worker.sandbox.phones import content
from gateway_worker.sandbox.phones.errors import UnknownRecipientError
from gateway_worker.sandbox.phones.form import form_of
from gateway_worker.sandbox.phones.media.attachment import attachment_of
from gateway_worker.sandbox.phones.outgoing import OutgoingMessage
from gateway_worker.sandbox.phones.stanzas import new_message_id, receipt
from gateway_worker.sandbox.phones.values import ChatMessage
from gateway_worker.sandbox.phones.wa_e2e import Message
from gateway_worker.sandbox.wire.jid import Jid, pn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway_worker.sandbox.phones.form import Form
    from gateway_worker.sandbox.phones.outgoing import Outgoing
    from gateway_worker.sandbox.phones.records import PhoneRecords
    from gateway_worker.sandbox.phones.values import ReceiptKind
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service


class Writer:
    """The writing half of a phone; recipients and messages are given as to `Phone`."""

    def __init__(
        self, *, service: Service, account: Account, outgoing: Outgoing, records: PhoneRecords
    ) -> None:
        self._service = service
        self._account = account
        self._outgoing = outgoing
        self._records = records

    def find(self, address: str | Jid) -> Account:
        """See `Phone.find`."""
        account = self._service.accounts.find(address_of(address))
        if account is None:
            raise UnknownRecipientError("nobody is registered under this address")
        return account

    async def write(
        self,
        to: str | Jid,
        message: Message,
        *,
        reply_to: str | ChatMessage | None,
        mentions: Sequence[str | Jid],
        phone_only: bool = False,
    ) -> str:
        """Send content with its context; returns and raises as `Phone.send_content`.

        With `phone_only`, linked devices get a placeholder instead.
        """
        quote = None if reply_to is None else _quote(self._records.message(reply_to))
        named = tuple(self.find(mention).lid for mention in mentions)
        content.add_context(message, quote=quote, mentions=named)
        return await self.send(to, message, phone_only=phone_only)

    async def send(self, to: str | Jid, message: Message, *, phone_only: bool = False) -> str:
        """Send content as it stands; returns and raises as `Phone.send_content`."""
        self._records.look()  # a session that a message has opened is answered in it
        recipient = self.find(to)
        outgoing = _message_to(
            recipient, message.SerializeToString(), form_of(message), phone_only=phone_only
        )
        self._records.own_messages.append(self._written(outgoing))
        await self._outgoing.send(outgoing, recipient=recipient)
        return outgoing.message_id

    async def send_raw(self, to: str | Jid, data: bytes) -> str:
        """See `Phone.send_raw`."""
        self._records.look()
        recipient = self.find(to)
        outgoing = _message_to(recipient, data, form_of(Message()))
        await self._outgoing.send(outgoing, recipient=recipient)
        return outgoing.message_id

    async def confirm(self, messages: Iterable[str | ChatMessage], kind: ReceiptKind) -> None:
        """Send receipts to the writers, and to this account's companions.

        Raises:
            UnknownMessageError: this phone knows no such message.
        """
        by_chat: dict[Jid, list[str]] = {}
        for message in map(self._records.message, messages):
            by_chat.setdefault(message.chat, []).append(message.message_id)
        submit, me = self._service.relay.submit, self._account.lid
        for chat, message_ids in by_chat.items():
            await submit(me, receipt(chat, message_ids, kind=kind.value))
            for companion in self._account.addresses[1:]:
                copy = receipt(companion, message_ids, kind=kind.value, recipient=chat)
                await submit(me, copy)

    def _written(self, outgoing: OutgoingMessage) -> ChatMessage:
        now = datetime.now(UTC)
        shown = content.read_content(outgoing.content)
        return ChatMessage(
            message_id=outgoing.message_id,
            chat=outgoing.to,
            sender=self._account.lid,
            sender_number=self._account.number.user,
            from_me=True,
            kind=shown.kind,
            text=shown.text,
            quoted_id=shown.quoted_id,
            target_id=shown.target_id,
            mentions=shown.mentions,
            sent_at=now,
            received_at=now,
            raw=outgoing.content,
            media=attachment_of(shown),
        )


def address_of(value: str | Jid) -> Jid:
    """Read a recipient: digits of a phone number, an address in text form, or an address."""
    if isinstance(value, Jid):
        return value
    return Jid.parse(value) if "@" in value else pn(value.removeprefix("+"))


def _message_to(
    recipient: Account, data: bytes, form: Form, *, phone_only: bool = False
) -> OutgoingMessage:
    return OutgoingMessage(
        message_id=new_message_id(),
        to=recipient.lid,
        content=data,
        form=form,
        phone_only=phone_only,
    )


def _quote(message: ChatMessage) -> content.Quote:
    return content.Quote(message_id=message.message_id, sender=message.sender, raw=message.raw)
