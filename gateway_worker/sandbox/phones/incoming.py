"""From a stanza at the phone's door to a message in its inbox, with the receipt it deserves.

Stanzas are handled strictly in order. A message is acknowledged as delivered as soon as it is
decrypted, or before, where nobody looks at the phone; one that cannot be decrypted is asked for
again with a retry receipt, which carries keys for a new session.

A message key that was used before is no proof of a repetition: the real library takes the same key
for two different messages when it encrypts and decrypts in one session at the same moment. So a
phone remembers which messages it has read: it confirms those again, asks for the others again and
counts them in `reused_keys`. (Whether a real phone asks or drops such a message is not known.)
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.phones.channels import content_of
from gateway_worker.sandbox.phones.content import read_content
from gateway_worker.sandbox.phones.group_keys import without_key
from gateway_worker.sandbox.phones.media.attachment import attachment_of
from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.stanzas import receipt, retry_receipt, writer_of
from gateway_worker.sandbox.phones.values import ChatMessage, ReceiptKind, SeenPresence, SeenReceipt
from gateway_worker.sandbox.signal.errors import DuplicateMessageError, SignalError
from gateway_worker.sandbox.signal.padding import unpad
from gateway_worker.sandbox.signal.sessions import Ciphertext, CiphertextKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway_worker.sandbox.phones.content import Content
    from gateway_worker.sandbox.phones.outgoing import Outgoing
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.signal.sender_keys import SenderKeyBook
    from gateway_worker.sandbox.signal.sessions import SessionBook
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node

MAX_RETRY_REQUESTS: Final = 5
REMEMBERED: Final = 20_000
_SIGNAL_KINDS: Final = frozenset(kind.value for kind in CiphertextKind)
_RECEIPTS: Final = {
    "": ReceiptKind.DELIVERED,
    "inactive": ReceiptKind.DELIVERED,
    "read": ReceiptKind.READ,
    "played": ReceiptKind.PLAYED,
    "retry": ReceiptKind.RETRY,
}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Incoming:
    """Handles what is delivered to one phone.

    `on_message`, `on_receipt` and `on_presence` are called in order and must return at once.

    Attributes:
        reused_keys: messages that came under a message key already used for another one.
    """

    def __init__(
        self,
        *,
        service: Service,
        account: Account,
        book: SessionBook,
        sender_keys: SenderKeyBook,
        outgoing: Outgoing,
        on_message: Callable[[ChatMessage], None],
        on_receipt: Callable[[SeenReceipt], None],
        on_presence: Callable[[SeenPresence], None],
    ) -> None:
        self._service = service
        self._account = account
        self._book = book
        self._sender_keys = sender_keys
        self._outgoing = outgoing
        self._on_message = on_message
        self._on_receipt = on_receipt
        self._on_presence = on_presence
        self._retries: Counter[str] = Counter()
        self._read: OrderedDict[tuple[Jid, str], None] = OrderedDict()
        self.reused_keys = 0

    def acknowledge(self, node: Node) -> None:
        """Acknowledge a message that is read later."""
        readable = any(part.get("type") in _SIGNAL_KINDS for part in node.all("enc"))
        if "from" in node.attrs and "id" in node.attrs and readable:
            self._confirm(node, writer_of(node))

    def handle(self, node: Node, *, acknowledged: bool = False) -> None:
        """Handle one stanza; kinds that a phone does not care about are ignored.

        Args:
            node: the stanza.
            acknowledged: a message was acknowledged when it came.

        Raises:
            WireError: the stanza lacks what its kind must have.
            PhoneError: it asks for something this phone cannot do.
        """
        if node.tag == "message":
            self._message(node, acknowledged=acknowledged)
        elif node.tag == "receipt":
            self._receipt(node)
        elif node.tag in {"chatstate", "presence"}:
            self._presence(node)

    def _presence(self, node: Node) -> None:
        state = node.get("type", "available")
        if node.tag == "chatstate" and node.children:
            shown = node.children[0]
            state = "recording" if shown.get("media") == "audio" else shown.tag
        self._on_presence(SeenPresence(sender=node.require_jid("from"), state=state))

    def _message(self, node: Node, *, acknowledged: bool) -> None:
        writer = writer_of(node)
        posted = content_of(node)
        if posted is not None:
            self._accept(node, writer, posted, asked=0)
            return
        for part in node.all("enc"):
            if part.get("type") not in _SIGNAL_KINDS:
                continue
            ciphertext = Ciphertext(kind=CiphertextKind(part.get("type")), data=part.data)
            try:
                content = self._open(node, writer, ciphertext)
            except DuplicateMessageError:
                self._repeated(node, writer, acknowledged=acknowledged)
                return
            except SignalError as error:
                log.info("sandbox.phone.undecryptable", reason=type(error).__name__)
                self._ask_again(node)
                return
            if content is not None:
                self._accept(node, writer, content, asked=self._remember(node, writer))
                if not acknowledged:
                    self._confirm(node, writer)

    def _open(self, node: Node, writer: Jid, ciphertext: Ciphertext) -> Content | None:
        """Decrypt a part of a message; None when it holds nothing but a sender key."""
        chat = node.require_jid("from")
        if not chat.is_shared:
            return read_content(unpad(self._book.decrypt(peer_of(writer), ciphertext)))
        if ciphertext.kind is CiphertextKind.SENDER_KEY:
            data = self._sender_keys.decrypt(str(chat), peer_of(writer), ciphertext.data)
        else:
            data = self._book.decrypt(peer_of(writer), ciphertext)
        shown, key = without_key(unpad(data))
        if key:
            self._sender_keys.accept(str(chat), peer_of(writer), key)
        return read_content(shown) if shown or not key else None

    def _repeated(self, node: Node, sender: Jid, *, acknowledged: bool) -> None:
        if (sender, node.get("id")) in self._read:
            if not acknowledged:
                self._confirm(node, sender)
            return
        self.reused_keys += 1
        log.warning("sandbox.phone.message_key_reused", reused_keys=self.reused_keys)
        self._ask_again(node)

    def _remember(self, node: Node, sender: Jid) -> int:
        """Note that a message is read; returns how often it was asked for again."""
        asked = self._retries.pop(node.get("id"), 0)
        self._read[sender, node.get("id")] = None
        if len(self._read) > REMEMBERED:
            self._read.popitem(last=False)
        return asked

    def _accept(self, node: Node, sender: Jid, content: Content, *, asked: int) -> None:
        origin = node.require_jid("from")
        chat = origin if origin.is_shared else self._chat_between(node, sender, content)
        if content.kind != "protocol" and chat is not None:
            self._on_message(self._shown(node, sender, chat, content, asked=asked))

    def _chat_between(self, node: Node, sender: Jid, content: Content) -> Jid | None:
        if sender.user == self._account.lid.user:
            return content.destination or node.jid("recipient")
        return sender.account

    def _shown(
        self, node: Node, sender: Jid, chat: Jid, content: Content, *, asked: int
    ) -> ChatMessage:
        accounts = self._service.accounts
        writer, other = accounts.find(sender), accounts.find(chat)
        return ChatMessage(
            message_id=node.require("id"),
            chat=chat.account if other is None else other.lid,
            sender=sender,
            sender_number="" if writer is None or writer.hides_number else writer.number.user,
            from_me=sender.user == self._account.lid.user,
            kind=content.kind,
            text=content.text,
            quoted_id=content.quoted_id,
            target_id=content.target_id,
            mentions=content.mentions,
            sent_at=_time(node),
            received_at=datetime.now(UTC),
            asked_again=asked,
            raw=content.raw,
            media=attachment_of(content),
        )

    def _confirm(self, node: Node, sender: Jid) -> None:
        """Say "delivered" to the writer; copies from this account's companions need no receipt."""
        if sender.user != self._account.lid.user:
            chat, participant = node.require_jid("from"), node.jid("participant")
            delivered = receipt(chat, [node.require("id")], participant=participant)
            self._service.relay.route(self._account.lid, delivered)

    def _ask_again(self, node: Node) -> None:
        message_id = node.require("id")
        self._retries[message_id] += 1
        count = self._retries[message_id]
        if count > MAX_RETRY_REQUESTS:
            log.warning("sandbox.phone.gave_up", retries=count)
            return
        bundle = self._book.bundle(one_time=self._book.new_one_time_key())
        self._service.relay.route(self._account.lid, retry_receipt(node, bundle, count=count))

    def _receipt(self, node: Node) -> None:
        kind = _RECEIPTS.get(node.get("type"), ReceiptKind.OTHER)
        for seen in _seen_in(node, kind):
            self._on_receipt(seen)
        if kind is ReceiptKind.RETRY:
            self._outgoing.send_again(node)


def _seen_in(node: Node, kind: ReceiptKind) -> Iterator[SeenReceipt]:
    """Yield what a receipt says: of one device, or what waited from several people of a group."""
    for message in node.all("participants"):
        for one in message.all("user"):
            yield SeenReceipt(
                message_ids=(message.require("key"),),
                sender=one.require_jid("jid"),
                kind=kind,
                sent_at=_time(one),
            )
    if node.child("participants") is None:
        listed = node.child("list")
        items = () if listed is None else listed.all("item")
        yield SeenReceipt(
            message_ids=(node.require("id"), *(item.require("id") for item in items)),
            sender=writer_of(node),
            kind=kind,
            sent_at=_time(node),
        )


def _time(node: Node) -> datetime:
    text = node.get("t")
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else datetime.now(UTC)
