"""Between two people: their devices, and nobody else's.

A message arrives once with one ciphertext per device and leaves as one stanza per device, addressed
by LID. Receipts go back to the device that sent the message, or to all devices of its account.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.accounts import Account, Accounts
from gateway_worker.sandbox.service.fault_rules import Alter, Corrupt, Point
from gateway_worker.sandbox.service.reachout import remember_chat
from gateway_worker.sandbox.service.routes.forwarding import forwarded_attrs, forwarded_children
from gateway_worker.sandbox.service.routes.nowhere import NowhereRoute
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid

PREKEY_MESSAGE: Final = "pkmsg"
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
        for record in self._receipt_targets(sender, to, node.get("type")):
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
        identity = node.child("device-identity")
        for address, ciphertexts in copies:
            owner = self._accounts.find(address)
            record = owner.devices.get(address.device) if owner else None
            if owner is None or record is None or record is sender.device:
                continue
            if owner not in (sender.account, target):
                continue
            if owner is target and blocked:
                continue
            content = ciphertexts + shared
            if identity is not None and any(c.get("type") == PREKEY_MESSAGE for c in ciphertexts):
                content += (identity,)
            attrs = dict(own if owner is sender.account and target is not owner else base)
            self._put(record, Node("message", attrs, content))

    def _put(self, record: DeviceRecord, message: Node) -> None:
        """Put a message into a mailbox, damaged where a rule says so."""
        damaged = message
        if self._faults.consume(Point.DELIVERY, record, Corrupt, message) is not None:
            damaged = replace(damaged, content=tuple(map(_garbled, message.children)))
        changed = self._faults.consume(Point.DELIVERY, record, Alter, message)
        if changed is not None:
            damaged = replace(damaged, attrs={**message.attrs, **changed.attrs})
        record.mailbox.put(damaged)

    def _receipt_targets(self, sender: Sender, to: Jid, kind: str) -> Iterator[DeviceRecord]:
        target = self._accounts.find(to)
        if target is None:
            return
        if to.device or kind == "retry" or target is sender.account:
            record = target.devices.get(to.device)
            if record is not None and record is not sender.device:
                yield record
            return
        yield from target.devices.values()


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


def _garbled(part: Node) -> Node:
    if part.tag != "enc" or not part.data:
        return part
    # The last bytes are a MAC (or ciphertext under one), so the form stays right.
    return replace(part, content=part.data[:-1] + bytes([part.data[-1] ^ 1]))


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
    texts = sorted(f"{jid.user}.0:{jid.device}@{jid.server}" for jid in devices)
    digest = hashlib.sha256("".join(texts).encode()).digest()[:6]
    return "2:" + base64.b64encode(digest).decode().rstrip("=")
