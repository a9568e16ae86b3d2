"""A simulated phone: what a test, a demo or the control API holds in its hand.

Three things run inside it: stanzas are taken from the service and handled in order; messages are
handed to the scripts, in order but apart, so that a slow script never stops the receiving; and the
calls of whoever holds it. All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway_worker.sandbox.phones import content
from gateway_worker.sandbox.phones.arrivals import Arrivals
from gateway_worker.sandbox.phones.errors import (
    UnknownDeviceError,
    UnknownRecipientError,
)
from gateway_worker.sandbox.phones.form import Form, form_of
from gateway_worker.sandbox.phones.incoming import Incoming
from gateway_worker.sandbox.phones.linking import Linker
from gateway_worker.sandbox.phones.outgoing import Outgoing, OutgoingMessage
from gateway_worker.sandbox.phones.publishing import draw_one_time_keys, published
from gateway_worker.sandbox.phones.records import PATIENCE_SECONDS, HandlingError, PhoneRecords
from gateway_worker.sandbox.phones.stanzas import new_message_id, receipt
from gateway_worker.sandbox.phones.values import ChatMessage, Companion, ReceiptKind
from gateway_worker.sandbox.phones.wa_e2e import Message
from gateway_worker.sandbox.signal.sessions import SessionBook
from gateway_worker.sandbox.wire.jid import Jid, pn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from gateway_worker.sandbox.phones.ports import Network
    from gateway_worker.sandbox.service import interface as service
    from gateway_worker.sandbox.wire.node import Node

PUBLISHED_KEYS: Final = 100
REFILL_BELOW: Final = 25

Script = Callable[["Phone", ChatMessage], Awaitable[None]]
"""What a phone does by itself when a message comes in; see `scripts` for some."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Phone(PhoneRecords):
    """Device 0 of an account. Made by `Phone.open`.

    Recipients and mentions are given as digits of a phone number, as an address in text form, or
    as a `Jid`; messages as the value this phone recorded or by id.
    """

    def __init__(
        self, *, network: Network, account: service.AccountInfo, book: SessionBook, lazy: bool
    ) -> None:
        super().__init__()
        self._network = network
        self._account = account
        self._book = book
        self._to_scripts: asyncio.Queue[ChatMessage] = asyncio.Queue()
        self._scripts: list[Script] = []
        self._linker = Linker(network=network, me=account.lid, identity=book.identity)
        self._outgoing = Outgoing(network=network, me=account.lid, book=book)
        self._incoming = Incoming(
            network=network,
            me=account.lid,
            book=book,
            outgoing=self._outgoing,
            on_message=self._received,
            on_receipt=self.receipts.append,
        )
        self._arrivals = Arrivals(
            incoming=self._incoming,
            lazy=lazy,
            is_watched=lambda: self.is_watched,
            on_handled=self._refill,
            on_error=lambda where, error: self.handling_errors.append(
                HandlingError(where=where, error=error)
            ),
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        network: Network,
        number: str,
        push_name: str = "",
        lid: str | None = None,
        lazy: bool = False,
    ) -> AsyncIterator[Phone]:
        """Register an account and keep its phone switched on until the block is left.

        Args:
            network: the service.
            number: digits with country code.
            push_name: the name shown to others.
            lid: digits of the account's LID; derived from the number when not given.
            lazy: decrypt messages only when somebody looks.

        Raises:
            AccountExistsError: the number or the LID is taken.
        """
        book = SessionBook.generate()
        account = network.add_account(
            number=number,
            push_name=push_name,
            bundle=published(book),
            prekeys=draw_one_time_keys(book, PUBLISHED_KEYS),
            lid=lid,
        )
        phone = cls(network=network, account=account, book=book, lazy=lazy)
        running = [
            asyncio.create_task(phone._arrivals.run(), name="phone-receive"),
            asyncio.create_task(phone._follow_scripts(), name="phone-scripts"),
        ]
        network.attach_phone(phone)
        try:
            yield phone
        finally:
            network.detach_phone(phone.jid)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    @property
    def jid(self) -> Jid:
        """LID of the account and of this device."""
        return self._account.lid

    @property
    def number(self) -> str:
        """Digits of the phone number."""
        return self._account.number.user

    @property
    def push_name(self) -> str:
        """The name shown to others."""
        account = self._network.account(self.jid)
        return self._account.push_name if account is None else account.push_name

    @property
    def companions(self) -> tuple[Jid, ...]:
        """LID addresses of the linked devices, lowest first."""
        account = self._network.account(self.jid)
        return () if account is None else account.devices[1:]

    @property
    def reused_keys(self) -> int:
        """Messages of others that came under a key used before, and were asked for again."""
        self.look()
        return self._incoming.reused_keys

    # --- companions

    async def scan(self, qr_text: str) -> Companion:
        """Link the companion that shows this QR; see `Linker.scan` for the errors."""
        return await self._linker.scan(qr_text)

    async def enter_code(
        self,
        code: str,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> Companion:
        """Link the companion that shows this code; see `Linker.enter_code` for the errors."""
        return await self._linker.enter_code(code, timeout=timeout)

    def unlink(self, device: int | Jid | Companion) -> None:
        """Remove a companion, by device number, address or the value `scan` returned.

        Raises:
            UnknownDeviceError: this account has no such companion.
        """
        number = device if isinstance(device, int) else _address(device).device
        if self.jid.with_device(number) not in self.companions:
            raise UnknownDeviceError(f"no companion with device number {number}")
        self._network.unlink(self.jid.with_device(number))

    # --- writing

    async def send_text(
        self,
        to: str | Jid,
        text: str,
        *,
        reply_to: str | ChatMessage | None = None,
        mentions: Sequence[str | Jid] = (),
    ) -> str:
        """Write to somebody; calls leave in their order.

        Args:
            to: the recipient.
            text: the text.
            reply_to: a message of the same chat to quote.
            mentions: who is named; the text should hold `@` and the digits of each.

        Returns:
            The message id, once the service has acked (or withheld the ack by a fault).

        Raises:
            UnknownRecipientError: nobody has this address or one of the mentioned ones.
            UnknownMessageError: `reply_to` is an id this phone does not know.
            NotDeliveredError: the service refused the message.
        """
        return await self._write(
            to, content.text_content(text), reply_to=reply_to, mentions=mentions
        )

    async def send_content(
        self,
        to: str | Jid,
        content_json: Mapping[str, Any],
        *,
        reply_to: str | ChatMessage | None = None,
        mentions: Sequence[str | Jid] = (),
    ) -> str:
        """Write content of any kind, as it stands; what it refers to (media) must exist.

        Args:
            to: the recipient.
            content_json: the library's `Message` as protojson, such as
                `{"locationMessage": {"degreesLatitude": 52.5, "degreesLongitude": 13.4}}`.
            reply_to: a message of the same chat to quote.
            mentions: who is named.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: it is no content, or of a kind that cannot quote or name.
        """
        message = content.from_json(content_json)
        return await self._write(to, message, reply_to=reply_to, mentions=mentions)

    async def react(self, message: str | ChatMessage, emoji: str) -> str:
        """React to a message; an empty emoji takes the reaction back.

        Returns and raises as `send_text`.
        """
        target = self.message(message)
        reaction = content.reaction_content(
            emoji, target_id=target.message_id, remote=target.chat, from_me=target.from_me
        )
        return await self._send(target.chat, reaction)

    async def edit(self, message: str | ChatMessage, text: str) -> str:
        """Replace the text of a message of this account; returns and raises as `send_text`."""
        target = self.message(message)
        edit = content.edit_content(text, target_id=target.message_id, remote=target.chat)
        return await self._send(target.chat, edit)

    async def revoke(self, message: str | ChatMessage) -> str:
        """Delete a message of this account for everyone; returns and raises as `send_text`."""
        target = self.message(message)
        revocation = content.revoke_content(target_id=target.message_id, remote=target.chat)
        return await self._send(target.chat, revocation)

    async def send_raw(self, to: str | Jid, data: bytes) -> str:
        """Send any bytes as a message's content; returns and raises as `send_text`.

        They are not among `own_messages`, for this phone might not be able to read them.

        Args:
            to: the recipient.
            data: what is encrypted: a serialized message, or something that is none.
        """
        self.look()
        recipient = self.find(to)
        outgoing = _message_to(recipient, data, form_of(Message()))
        await self._outgoing.send(outgoing, recipient=recipient)
        return outgoing.message_id

    def find(self, address: str | Jid) -> service.AccountInfo:
        """Return who is behind a number or an address.

        Raises:
            UnknownRecipientError: nobody is.
        """
        account = self._network.account(_address(address))
        if account is None:
            raise UnknownRecipientError("nobody is registered under this address")
        return account

    async def submit(self, stanza: Node) -> Node | None:
        """Send any stanza as this phone; returns the service's ack, if the kind has one."""
        return await self._network.submit(self.jid, stanza)

    async def read(self, *messages: str | ChatMessage) -> None:
        """Send read receipts; messages of one chat share a stanza.

        The companions of this account are told as well, as of something read elsewhere.

        Raises:
            UnknownMessageError: this phone knows no such message.
        """
        await self._confirm(messages, ReceiptKind.READ)

    async def play(self, *messages: str | ChatMessage) -> None:
        """Send played receipts, as for voice messages; raises as `read`."""
        await self._confirm(messages, ReceiptKind.PLAYED)

    def block(self, contact: str | Jid) -> None:
        """Let nothing from a contact through any more.

        Raises:
            UnknownRecipientError: nobody has this address.
        """
        self._network.block(self.jid, self.find(contact).lid)

    def unblock(self, contact: str | Jid) -> None:
        """Undo `block`; raises as it does."""
        self._network.unblock(self.jid, self.find(contact).lid)

    # --- scripts

    def on_message(self, script: Script) -> Callable[[], None]:
        """Run a script for every message from others; the result takes it off again."""
        self.look()
        self._scripts.append(script)

        def remove() -> None:
            if script in self._scripts:
                self._scripts.remove(script)

        return remove

    def set_scripts(self, scripts: Iterable[Script]) -> None:
        """Replace all scripts, in the order in which they shall run."""
        self.look()
        self._scripts[:] = scripts

    # --- the device, as the service sees it

    def deliver(self, node: Node) -> None:
        """Take a stanza; see `service.interface.Device`."""
        self._arrivals.put(node)

    def look(self) -> None:
        """See `PhoneRecords.look`."""
        self._arrivals.look()

    @property
    def is_watched(self) -> bool:
        """Whether a script runs, or somebody waits for what comes."""
        return bool(self._scripts) or super().is_watched

    def pair_code_hello(self, hello: service.PairCodeHello) -> None:
        """See `service.interface.Phone`."""
        self._linker.hello(hello)

    def pair_code_finish(self, finish: service.PairCodeFinish) -> None:
        """See `service.interface.Phone`."""
        self._linker.finish(finish)

    # --- inside

    async def _follow_scripts(self) -> None:
        while True:
            message = await self._to_scripts.get()
            for script in tuple(self._scripts):
                try:
                    await script(self, message)
                except Exception as error:  # a test's own code; the phone goes on
                    log.warning("sandbox.phone.script_failed", exc_info=True)
                    self.handling_errors.append(HandlingError(where="script", error=error))

    def _received(self, message: ChatMessage) -> None:
        if message.from_me:
            self.own_messages.append(message)
            return
        self.inbox.append(message)
        if self._scripts:
            self._to_scripts.put_nowait(message)

    def _refill(self) -> None:
        if self._network.prekey_count(self.jid) < REFILL_BELOW:
            self._network.add_prekeys(self.jid, draw_one_time_keys(self._book, PUBLISHED_KEYS))

    async def _write(
        self,
        to: str | Jid,
        message: Message,
        *,
        reply_to: str | ChatMessage | None,
        mentions: Sequence[str | Jid],
    ) -> str:
        quote = None if reply_to is None else _quote(self.message(reply_to))
        named = tuple(self.find(mention).lid for mention in mentions)
        content.add_context(message, quote=quote, mentions=named)
        return await self._send(to, message)

    async def _send(self, to: str | Jid, message: Message) -> str:
        self.look()  # a session that a message has opened is answered in it
        recipient = self.find(to)
        outgoing = _message_to(recipient, message.SerializeToString(), form_of(message))
        self.own_messages.append(self._written(outgoing))
        await self._outgoing.send(outgoing, recipient=recipient)
        return outgoing.message_id

    def _written(self, outgoing: OutgoingMessage) -> ChatMessage:
        now = datetime.now(UTC)
        shown = content.read_content(outgoing.content)
        return ChatMessage(
            message_id=outgoing.message_id,
            chat=outgoing.to,
            sender=self.jid,
            sender_number=self.number,
            from_me=True,
            kind=shown.kind,
            text=shown.text,
            quoted_id=shown.quoted_id,
            target_id=shown.target_id,
            mentions=shown.mentions,
            sent_at=now,
            received_at=now,
            raw=outgoing.content,
        )

    async def _confirm(self, messages: Iterable[str | ChatMessage], kind: ReceiptKind) -> None:
        by_chat: dict[Jid, list[str]] = {}
        for message in map(self.message, messages):
            by_chat.setdefault(message.chat, []).append(message.message_id)
        for chat, message_ids in by_chat.items():
            stanza = receipt(chat, message_ids, kind=kind.value)
            await self._network.submit(self.jid, stanza)
            for companion in self.companions:
                copy = receipt(companion, message_ids, kind=kind.value, recipient=chat)
                await self._network.submit(self.jid, copy)


def _message_to(recipient: service.AccountInfo, data: bytes, form: Form) -> OutgoingMessage:
    return OutgoingMessage(message_id=new_message_id(), to=recipient.lid, content=data, form=form)


def _address(value: str | Jid | Companion) -> Jid:
    if isinstance(value, Companion):
        return value.device
    if isinstance(value, Jid):
        return value
    return Jid.parse(value) if "@" in value else pn(value.removeprefix("+"))


def _quote(message: ChatMessage) -> content.Quote:
    return content.Quote(message_id=message.message_id, sender=message.sender, raw=message.raw)
