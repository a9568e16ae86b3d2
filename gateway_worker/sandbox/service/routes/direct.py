"""Between two people: their devices, and nobody else's.

A message arrives once with one ciphertext per device and leaves as one stanza per device, addressed
by LID. Receipts go back to the device that sent the message, or to all devices of its account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.accounts import Account, Accounts
from gateway_worker.sandbox.service.reachout import remember_chat
from gateway_worker.sandbox.service.routes.delivery import deliver, with_identity
from gateway_worker.sandbox.service.routes.device_hash import device_hash
from gateway_worker.sandbox.service.routes.forwarding import forwarded_attrs, forwarded_children
from gateway_worker.sandbox.service.routes.nowhere import NowhereRoute
from gateway_worker.sandbox.service.routes.receivers import told_devices
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid

Copy = tuple["Jid", tuple[Node, ...]]
"""A device and what is for it: ciphertexts, or a placeholder."""


class DirectRoute:
    """The way to an account, by number or by LID."""

    def __init__(self, *, accounts: Accounts, faults: FaultBook) -> None:
        """Work on the service's accounts; rules say what goes wrong."""
        self._accounts = accounts
        self._faults = faults
        self._nowhere = NowhereRoute()

    def message(self, sender: Sender, to: Jid, node: Node) -> Attrs:
        """See `Route`."""
        target = self._accounts.find(to)
        if target is None:
            return self._nowhere.message(sender, to, node)
        self._deliver(sender, target, to, node)
        remember_chat(sender.account, target)
        stale = _stale_hash(sender.account, target, node)
        return {} if stale is None else {"phash": stale}

    def receipt(self, sender: Sender, to: Jid, node: Node) -> None:
        """See `Route`."""
        attrs: Attrs = {**forwarded_attrs(node), "from": sender.device.lid}
        attrs.setdefault("t", now())
        for record in told_devices(self._accounts, sender, to, node.get("type")):
            record.mailbox.put(Node("receipt", dict(attrs), node.content))

    def chatstate(self, sender: Sender, to: Jid, node: Node) -> None:
        """See `Route`."""
        target = self._accounts.find(to)
        if target is None or sender.account.lid in target.blocked:
            return
        attrs: Attrs = {**forwarded_attrs(node), "from": sender.device.lid.account}
        for record in target.devices.values():
            sink = record.online
            if sink is not None:
                sink.deliver(Node("chatstate", dict(attrs), node.content))

    def _deliver(self, sender: Sender, target: Account, to: Jid, node: Node) -> None:
        sealed = node.child("enc")
        if sealed is not None:
            # A repeat for one device, or a message to the own phone: no fan-out, never a duplicate.
            self._hand_over(sender, target, node, [(target.lid.with_device(to.device), (sealed,))])
            return
        if sender.device.is_repeat(to, node.require("id")):
            return
        copies = node.require_child("participants").all("to")
        self._hand_over(
            sender, target, node, [(copy.require_jid("jid"), copy.children) for copy in copies]
        )

    def _hand_over(self, sender: Sender, target: Account, node: Node, copies: list[Copy]) -> None:
        blocked = sender.account.lid in target.blocked
        base = _message_attrs(sender, node)
        own = {**base, "recipient": target.lid}
        own.pop("sender_pn", None)
        if not target.hides_number:
            own["peer_recipient_pn"] = target.number
        shared = forwarded_children(node)
        for address, ciphertexts in copies:
            owner = self._accounts.find(address)
            record = owner.devices.get(address.device) if owner else None
            if owner is None or record is None or record is sender.device:
                continue
            if owner not in (sender.account, target):
                continue
            if owner is target and blocked:
                continue
            content = with_identity(ciphertexts + shared, node)
            attrs = dict(own if owner is sender.account and target is not owner else base)
            deliver(record, Node("message", attrs, content), faults=self._faults)


def _message_attrs(sender: Sender, node: Node) -> Attrs:
    attrs: Attrs = {
        **forwarded_attrs(node),
        "from": sender.device.lid,
        "id": node.require("id"),
        "t": now(),
        "notify": sender.account.push_name,
        "addressing_mode": "lid",
    }
    if not sender.account.hides_number:
        attrs["sender_pn"] = sender.device.number
    return attrs


def _stale_hash(account: Account, target: Account, node: Node) -> str | None:
    """The true hash of the device lists when a fan-out missed a device or kept a dead one."""
    participants = node.child("participants")
    if participants is None:
        return None
    named = {(jid.user, jid.device) for copy in participants.children if (jid := copy.jid("jid"))}
    named_devices = {item[1] for item in named if item[0] in (target.lid.user, target.number.user)}
    if named_devices == set(target.devices):
        return None
    devices = {record.lid for owner in (account, target) for record in owner.devices.values()}
    return device_hash(devices)
