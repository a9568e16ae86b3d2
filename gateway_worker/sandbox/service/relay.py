"""What the service does to a stanza from a device: the same for all, and then its route."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.accounts import Accounts
from gateway_worker.sandbox.service.fault_rules import Delay, Drop, Error, Point
from gateway_worker.sandbox.service.mailbox import key_of_ack, key_of_message
from gateway_worker.sandbox.service.reachout import REACHOUT_TIMELOCKED, is_refused
from gateway_worker.sandbox.service.routes.route import NOTHING, Outcome, Sender
from gateway_worker.sandbox.service.routes.table import RouteTable
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway_worker.sandbox.service.calls import Calls
    from gateway_worker.sandbox.service.channels import Channels
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.groups.groups import Groups
    from gateway_worker.sandbox.wire.jid import Jid


class StanzaRelay:
    """Routes stanzas at once.

    Understands `message` (fan-out under `participants`, one `enc` straight to a device, `enc` that
    all members of a group can read, or `plaintext` to a channel), `receipt`, `chatstate`,
    `presence`, `call` and `ack`. A message is repeated to nobody when its sender, target and id
    were seen before: it is acked.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        groups: Groups,
        channels: Channels,
        faults: FaultBook,
        calls: Calls,
    ) -> None:
        """Work on the service's accounts, groups, channels and calls; rules say what goes wrong."""
        self._accounts = accounts
        self._calls = calls
        self._faults = faults
        self._routes = RouteTable(
            accounts=accounts, groups=groups, channels=channels, faults=faults
        )
        self._handlers: dict[str, Callable[[Sender, Node], Outcome]] = {
            "message": self._message,
            "receipt": self._receipt,
            "ack": self._ack,
            "chatstate": self._chatstate,
            "presence": self._presence,
            "call": self._call,
        }

    def route(self, sender: Jid, node: Node) -> Outcome:
        """Relay one stanza before returning; the caller sends the ack, or lets it be.

        Args:
            sender: the sending device, by LID or number.
            node: as a client would send it: `to`, `id`, and for a message to companions
                `participants` > `to jid=<LID:device>` > `enc v=2 type=pkmsg|msg`.

        Raises:
            UnknownAccountError: the sender is not registered.
            WireError: the stanza cannot be routed.
        """
        handler = self._handlers.get(node.tag)
        if handler is None:
            raise WireError(f"<{node.tag}> is not relayed")
        return handler(Sender(self._accounts.get(sender), self._accounts.device(sender)), node)

    async def submit(self, sender: Jid, node: Node) -> Node | None:
        """Relay one stanza before the first suspension, so that calls keep their order.

        Args and errors as of `route`.

        Returns:
            The ack; `None` when the kind has none or a fault withholds it.
        """
        outcome = self.route(sender, node)
        if outcome.delay_seconds:
            await asyncio.sleep(outcome.delay_seconds)
        return outcome.ack

    def _message(self, sender: Sender, node: Node) -> Outcome:
        device = sender.device
        to = node.require_jid("to")
        attrs: Attrs = {"class": "message", "id": node.require("id"), "from": to, "t": now()}
        refused = self._faults.consume(Point.MESSAGE, device, Error, node)
        if refused is not None:
            attrs["error"] = str(refused.code)
        elif sender.account.timelock and is_refused(sender.account, self._accounts.find(to), node):
            attrs["error"] = REACHOUT_TIMELOCKED
        elif self._faults.consume(Point.MESSAGE, device, Drop, node) is None:
            attrs |= self._routes.to(to).message(sender, to, node)
        if self._faults.consume(Point.ACK, device, Drop, node) is not None:
            return NOTHING
        late = self._faults.consume(Point.ACK, device, Delay, node)
        return Outcome(Node("ack", attrs), 0.0 if late is None else late.seconds)

    def _receipt(self, sender: Sender, node: Node) -> Outcome:
        if self._faults.consume(Point.RECEIPT, sender.device, Drop, node) is not None:
            return NOTHING
        to = node.require_jid("to")
        message_id = node.require("id")
        for item in (message_id, *(item.get("id") for item in _items(node))):
            sender.device.mailbox.confirm(key_of_message(item, to))
        self._routes.to(to).receipt(sender, to, node)
        ack: Attrs = {"class": "receipt", "id": message_id, "from": to}
        if "type" in node.attrs:
            ack["type"] = node.attrs["type"]
        return Outcome(Node("ack", ack))

    def _ack(self, sender: Sender, node: Node) -> Outcome:
        sender.device.mailbox.confirm(key_of_ack(node))
        return NOTHING

    def _chatstate(self, sender: Sender, node: Node) -> Outcome:
        to = node.require_jid("to")
        self._routes.to(to).chatstate(sender, to, node)
        return NOTHING

    def _call(self, sender: Sender, node: Node) -> Outcome:
        for refusal in node.all("reject"):
            self._calls.reject(sender.account, sender.device.lid, refusal.require("call-id"))
        attrs: Attrs = {"class": "call", "id": node.require("id"), "from": node.require_jid("to")}
        return Outcome(Node("ack", attrs))

    def _presence(self, sender: Sender, node: Node) -> Outcome:
        kind = node.get("type", "available")
        if kind == "subscribe":
            target = self._accounts.find(node.require_jid("to"))
            if target is not None:
                target.subscribers.add(sender.device.lid)
            return NOTHING
        attrs: Attrs = {"from": sender.account.lid}
        if kind == "unavailable":
            attrs |= {"type": kind, "last": now()}
        for subscriber in sender.account.subscribers:
            record = self._accounts.find_device(subscriber)
            sink = record.online if record else None
            if sink is not None:
                sink.deliver(Node("presence", dict(attrs)))
        return NOTHING


def _items(node: Node) -> tuple[Node, ...]:
    items = node.child("list")
    return items.all("item") if items else ()
