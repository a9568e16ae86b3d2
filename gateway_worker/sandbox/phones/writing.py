"""What a phone writes: put together, recorded as its own, and handed over; and what it confirms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway_worker.sandbox.phones import content
from gateway_worker.sandbox.phones.form import form_of
from gateway_worker.sandbox.phones.media.attachment import attachment_of
from gateway_worker.sandbox.phones.outgoing import OutgoingMessage
from gateway_worker.sandbox.phones.sealing import give_secret
from gateway_worker.sandbox.phones.stanzas import new_message_id, receipt
from gateway_worker.sandbox.phones.values import ChatMessage
from gateway_worker.sandbox.phones.wa_e2e import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway_worker.sandbox.phones.form import Form
    from gateway_worker.sandbox.phones.outgoing import Outgoing
    from gateway_worker.sandbox.phones.recipients import AddressBook, Recipient
    from gateway_worker.sandbox.phones.records import PhoneRecords
    from gateway_worker.sandbox.phones.values import ReceiptKind
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.wire.jid import Jid


class Writer:
    """The writing half of a phone; recipients and messages are given as to `Phone`.

    Attributes:
        gives_secrets: whether each message gets a secret.
    """

    def __init__(
        self,
        *,
        service: Service,
        account: Account,
        addresses: AddressBook,
        outgoing: Outgoing,
        records: PhoneRecords,
    ) -> None:
        self._service = service
        self._account = account
        self._addresses = addresses
        self._outgoing = outgoing
        self._records = records
        self.gives_secrets = False

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
        named = tuple(self._addresses.find(mention).lid for mention in mentions)
        content.add_context(message, quote=quote, mentions=named)
        return await self.send(to, message, phone_only=phone_only)

    async def send(self, to: str | Jid, message: Message, *, phone_only: bool = False) -> str:
        """Send content as it stands; returns and raises as `Phone.send_content`."""
        self._records.look()  # a session that a message has opened is answered in it
        recipient = self._addresses.recipient(to)
        content.let_disappear(message, recipient.ephemeral_seconds)
        if self.gives_secrets:
            give_secret(message)
        outgoing = _message_to(
            recipient, message.SerializeToString(), form_of(message), phone_only=phone_only
        )
        self._records.own_messages.append(self._written(outgoing))
        await self._outgoing.send(outgoing, readers=recipient.readers)
        return outgoing.message_id

    async def send_raw(self, to: str | Jid, data: bytes) -> str:
        """See `Phone.send_raw`."""
        self._records.look()
        recipient = self._addresses.recipient(to)
        outgoing = _message_to(recipient, data, form_of(Message()))
        await self._outgoing.send(outgoing, readers=recipient.readers)
        return outgoing.message_id

    async def confirm(self, messages: Iterable[str | ChatMessage], kind: ReceiptKind) -> None:
        """Send receipts to the writers, and to this account's companions.

        Raises:
            UnknownMessageError: this phone knows no such message.
        """
        by_writer: dict[tuple[Jid, Jid | None], list[str]] = {}
        for message in map(self._records.message, messages):
            ids = by_writer.setdefault((message.chat, message.participant), [])
            ids.append(message.message_id)
        submit, me = self._service.relay.submit, self._account.lid
        for (chat, writer), ids in by_writer.items():
            await submit(me, receipt(chat, ids, kind=kind.value, participant=writer))
            for companion in self._account.addresses[1:]:
                copy = receipt(companion, ids, kind=kind.value, recipient=chat, participant=writer)
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


def _message_to(
    recipient: Recipient, data: bytes, form: Form, *, phone_only: bool = False
) -> OutgoingMessage:
    return OutgoingMessage(
        message_id=new_message_id(),
        to=recipient.chat,
        content=data,
        form=form,
        phone_only=phone_only,
    )


def _quote(message: ChatMessage) -> content.Quote:
    return content.Quote(message_id=message.message_id, sender=message.sender, raw=message.raw)
