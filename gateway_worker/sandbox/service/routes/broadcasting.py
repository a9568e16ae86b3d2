"""One ciphertext that many devices read: what groups and status have in common.

A message arrives with the sender's key for those that do not have it (`participants`, one
ciphertext per device) and the content under that key (`enc` of the message itself). It leaves as
one stanza per device, from the chat and with the writing device as `participant`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.mailbox import key_of
from gateway_worker.sandbox.service.routes.delivery import deliver, with_identity
from gateway_worker.sandbox.service.routes.forwarding import forwarded_attrs, forwarded_children
from gateway_worker.sandbox.service.routes.receivers import RETRY, told_devices
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid

PLACEHOLDER: Final = "unavailable"


class Broadcasting:
    """The way of messages and receipts of chats with several people."""

    def __init__(self, *, accounts: Accounts, faults: FaultBook) -> None:
        """Work on the service's accounts; rules say what goes wrong."""
        self._accounts = accounts
        self._faults = faults

    def named(self, node: Node) -> Iterator[DeviceRecord]:
        """Yield the devices that a message has a part of its own for."""
        yield from self._copies(node)

    def send(self, sender: Sender, node: Node, records: Iterable[DeviceRecord]) -> None:
        """Deliver a message to devices; who wrote it is left out."""
        copies, sealed, shared = self._copies(node), node.all("enc"), forwarded_children(node)
        attrs = _message_attrs(sender, node)
        for record in records:
            if record is sender.device:
                continue
            own = copies.get(record, ())
            is_hidden = any(part.tag == PLACEHOLDER for part in own)
            content = own + (() if is_hidden else sealed) + shared
            if own or sealed:
                message = Node("message", dict(attrs), with_identity(content, node))
                deliver(record, message, faults=self._faults)

    def repeat(self, sender: Sender, node: Node, device: Jid) -> None:
        """Deliver the answer to a retry receipt: to the device that asked, and to no other."""
        record = self._accounts.find_device(device)
        if record is not None and record is not sender.device:
            self.send(sender, node, (record,))

    def confirm(self, sender: Sender, chat: Jid, node: Node) -> None:
        """Deliver a receipt to the devices of the message's writer, its `participant`.

        A device that is offline gets those of several people for one message as one stanza.
        """
        kind, writer = node.get("type"), node.jid("participant")
        if writer is None:
            return
        attrs: Attrs = {**forwarded_attrs(node), "from": chat, "participant": sender.device.lid}
        attrs.setdefault("t", now())
        receipt = Node("receipt", attrs, node.content)
        for record in told_devices(self._accounts, sender, writer, kind):
            if record.online is not None or kind == RETRY:
                record.mailbox.put(receipt)
            else:
                _put_together(record, receipt)

    def show_typing(
        self, sender: Sender, chat: Jid, node: Node, records: Iterable[DeviceRecord]
    ) -> None:
        """Tell devices that are online that somebody writes in a chat, or stopped."""
        attrs: Attrs = {
            **forwarded_attrs(node),
            "from": chat,
            "participant": sender.device.lid.account,
        }
        for record in records:
            sink = record.online
            if sink is not None and record.lid.account != sender.account.lid:
                sink.deliver(Node("chatstate", dict(attrs), node.content))

    def _copies(self, node: Node) -> dict[DeviceRecord, tuple[Node, ...]]:
        participants = node.child("participants")
        found: dict[DeviceRecord, tuple[Node, ...]] = {}
        for copy in participants.all("to") if participants else ():
            record = self._accounts.find_device(copy.require_jid("jid"))
            if record is not None:
                found[record] = copy.children
        return found


def _message_attrs(sender: Sender, node: Node) -> Attrs:
    attrs: Attrs = {
        **forwarded_attrs(node),
        "from": node.require_jid("to"),
        "participant": sender.device.lid,
        "id": node.require("id"),
        "t": now(),
        "notify": sender.account.push_name,
        "addressing_mode": "lid",
    }
    if not sender.account.hides_number:
        attrs["participant_pn"] = sender.device.number
    return attrs


def _put_together(record: DeviceRecord, receipt: Node) -> None:
    """Add a receipt to those of others that wait for a device, for each message."""
    reader: Attrs = {"jid": receipt.require_jid("participant").account, "t": receipt.get("t")}
    listed = receipt.child("list")
    items = listed.all("item") if listed else ()
    for message_id in (receipt.require("id"), *(item.require("id") for item in items)):
        attrs: Attrs = {**receipt.attrs, "id": message_id}
        del attrs["participant"]
        waiting = record.mailbox.find(key_of(Node("receipt", attrs)))
        readers = waiting.require_child("participants").children if waiting else ()
        others = tuple(one for one in readers if one.jid("jid") != reader["jid"])
        people = Node("participants", {"key": message_id}, (*others, Node("user", dict(reader))))
        record.mailbox.put(Node("receipt", attrs, (people,)))
