"""What the service does to a stanza between two devices.

A message arrives once with one ciphertext per device and leaves as one stanza per device, addressed
by LID. Receipts go back to the device that sent the message, or to all devices of its account.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.hub.accounts import Account, Accounts, DeviceRecord, now, online
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway_worker.sandbox.wire.jid import Jid

UNKNOWN_RECIPIENT: Final = "404"
FORWARDED_ATTRS: Final = ("type", "edit", "category", "recipient")
FORWARDED_CHILDREN: Final = frozenset({"meta"})
PREKEY_MESSAGE: Final = "pkmsg"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer to the sender.

    Attributes:
        ack: the ack, or `None` when there is none to send.
        delay_seconds: how long to hold it back.
    """

    ack: Node | None = None
    delay_seconds: float = 0.0


NOTHING: Final = Outcome()


class StanzaRelay:
    """Routes stanzas at once; the caller sends the ack."""

    def __init__(self, *, accounts: Accounts) -> None:
        """Work on the hub's accounts."""
        self._accounts = accounts
        self._routes: dict[str, Callable[[Account, DeviceRecord, Node], Outcome]] = {
            "message": self._message,
            "receipt": self._receipt,
            "ack": self._ack,
            "chatstate": self._chatstate,
            "presence": self._presence,
        }

    def route(self, sender: Jid, node: Node) -> Outcome:
        """Relay one stanza before returning.

        Raises:
            UnknownAccountError: the sender is not registered.
            WireError: the stanza cannot be routed.
        """
        handler = self._routes.get(node.tag)
        if handler is None:
            raise WireError(f"<{node.tag}> is not relayed")
        return handler(self._accounts.get(sender), self._accounts.device(sender), node)

    def _message(self, account: Account, device: DeviceRecord, node: Node) -> Outcome:
        to = node.require_jid("to")
        attrs: Attrs = {"class": "message", "id": node.require("id"), "from": to, "t": now()}
        target = self._accounts.find(to)
        if account.spend_fault(device, "error_acks"):
            attrs["error"] = str(account.faults_of(device).ack_error)
        elif target is None:
            attrs["error"] = UNKNOWN_RECIPIENT
        else:
            self._deliver(account, device, target, node)
            stale = _stale_hash(account, target, node)
            if stale is not None:
                attrs["phash"] = stale
        if account.spend_fault(device, "missing_acks"):
            return NOTHING
        return Outcome(Node("ack", attrs), account.faults_of(device).ack_delay_seconds)

    def _deliver(self, account: Account, device: DeviceRecord, target: Account, node: Node) -> None:
        to = node.require_jid("to")
        direct = node.child("enc")
        if direct is not None:
            # A repeat for one device, or a word to the own phone: no fan-out, never a duplicate.
            address = target.lid.with_device(to.device)
            self._hand_over(account, device, target, node, [(address, (direct,))])
            return
        if device.is_repeat(to, node.require("id")):
            return
        copies = [
            (copy.require_jid("jid"), copy.all("enc"))
            for copy in node.require_child("participants").all("to")
        ]
        self._hand_over(account, device, target, node, copies)

    def _hand_over(
        self,
        account: Account,
        device: DeviceRecord,
        target: Account,
        node: Node,
        copies: list[tuple[Jid, tuple[Node, ...]]],
    ) -> None:
        blocked = account.lid in target.blocked
        base = _message_attrs(account, device, node)
        own = {**base, "recipient": target.lid, "peer_recipient_pn": target.number}
        del own["sender_pn"]
        shared = tuple(child for child in node.children if child.tag in FORWARDED_CHILDREN)
        identity = node.child("device-identity")
        for address, ciphertexts in copies:
            owner = self._accounts.find(address)
            record = owner.devices.get(address.device) if owner else None
            if owner is None or record is None or record is device:
                continue
            if owner not in (account, target):
                continue
            if owner is target and blocked:
                continue
            sealed = ciphertexts
            if owner.spend_fault(record, "garbled"):
                sealed = tuple(_garbled(ciphertext) for ciphertext in ciphertexts)
            content = sealed + shared
            if identity is not None and any(c.get("type") == PREKEY_MESSAGE for c in ciphertexts):
                content += (identity,)
            attrs = dict(own if owner is account and target is not account else base)
            if owner.spend_fault(record, "altered"):
                attrs |= owner.faults_of(record).alterations
            record.mailbox.put(Node("message", attrs, content))

    def _receipt(self, account: Account, device: DeviceRecord, node: Node) -> Outcome:
        if account.spend_fault(device, "lost_receipts"):
            return NOTHING
        to = node.require_jid("to")
        message_id = node.require("id")
        for item in (message_id, *(item.get("id") for item in _items(node))):
            device.mailbox.confirm(("message", item, to.user, ""))
        ack: Attrs = {"class": "receipt", "id": message_id, "from": to}
        relayed: Attrs = {"from": device.lid, "id": message_id, "t": node.get("t") or now()}
        for name in ("type", "recipient", "participant"):
            if name in node.attrs:
                relayed[name] = node.attrs[name]
        if "type" in relayed:
            ack["type"] = relayed["type"]
        for record in self._receipt_targets(account, device, to, node.get("type")):
            record.mailbox.put(Node("receipt", dict(relayed), node.content))
        return Outcome(Node("ack", ack))

    def _receipt_targets(
        self, account: Account, device: DeviceRecord, to: Jid, kind: str
    ) -> Iterator[DeviceRecord]:
        target = self._accounts.find(to)
        if target is None:
            return
        if to.device or kind == "retry" or target is account:
            record = target.devices.get(to.device)
            if record is not None and record is not device:
                yield record
            return
        yield from target.devices.values()

    def _ack(self, _account: Account, device: DeviceRecord, node: Node) -> Outcome:
        to = node.jid("to")
        kind = node.get("class")
        receipt_type = node.get("type") if kind == "receipt" else ""
        device.mailbox.confirm((kind, node.get("id"), to.user if to else "", receipt_type))
        return NOTHING

    def _chatstate(self, account: Account, device: DeviceRecord, node: Node) -> Outcome:
        target = self._accounts.find(node.require_jid("to"))
        if target is not None and account.lid not in target.blocked:
            _to_online(target, Node("chatstate", {"from": device.lid.account}, node.content))
        return NOTHING

    def _presence(self, account: Account, device: DeviceRecord, node: Node) -> Outcome:
        kind = node.get("type", "available")
        if kind == "subscribe":
            target = self._accounts.find(node.require_jid("to"))
            if target is not None:
                target.subscribers.add(device.lid)
            return NOTHING
        attrs: Attrs = {"from": account.lid}
        if kind == "unavailable":
            attrs |= {"type": kind, "last": now()}
        for subscriber in account.subscribers:
            record = self._accounts.find_device(subscriber)
            sink = online(record) if record else None
            if sink is not None:
                sink.deliver(Node("presence", dict(attrs)))
        return NOTHING


def _message_attrs(account: Account, device: DeviceRecord, node: Node) -> Attrs:
    attrs: Attrs = {
        "from": device.lid,
        "id": node.require("id"),
        "t": now(),
        "notify": account.push_name,
        "sender_pn": device.number,
        "addressing_mode": "lid",
    }
    for name in FORWARDED_ATTRS:
        if name in node.attrs:
            attrs[name] = node.attrs[name]
    return attrs


def _garbled(ciphertext: Node) -> Node:
    # The last bytes are a MAC (or ciphertext under one), so the form stays right.
    data = ciphertext.data
    return replace(ciphertext, content=data[:-1] + bytes([data[-1] ^ 1]) if data else b"")


def _items(node: Node) -> tuple[Node, ...]:
    items = node.child("list")
    return items.all("item") if items else ()


def _to_online(account: Account, node: Node) -> None:
    for record in account.devices.values():
        sink = online(record)
        if sink is not None:
            sink.deliver(node)


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
