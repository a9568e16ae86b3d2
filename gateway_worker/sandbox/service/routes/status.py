"""What an account shows to its contacts for a day: to the devices that the message names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.routes.broadcasting import Broadcasting
from gateway_worker.sandbox.service.routes.nowhere import NowhereRoute
from gateway_worker.sandbox.wire.jid import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs, Node


class StatusRoute:
    """The way of status messages. Of the lists with `broadcast` addresses it is the only one."""

    def __init__(self, *, accounts: Accounts, faults: FaultBook) -> None:
        """Work on the service's accounts; rules say what goes wrong."""
        self._accounts = accounts
        self._broadcasting = Broadcasting(accounts=accounts, faults=faults)
        self._nowhere = NowhereRoute()

    def message(self, sender: Sender, to: Jid, node: Node) -> Attrs:
        """See `Route`; who has blocked the sender sees nothing of it."""
        if to != STATUS:
            return self._nowhere.message(sender, to, node)
        asking = node.jid("participant")
        if asking is not None:
            self._broadcasting.repeat(sender, node, asking)
        elif not sender.device.is_repeat(to, node.require("id")):
            self._broadcasting.send(sender, node, tuple(self._viewers(sender, node)))
        return {}

    def receipt(self, sender: Sender, to: Jid, node: Node) -> None:
        """See `Route`."""
        if to == STATUS:
            self._broadcasting.confirm(sender, to, node)

    def chatstate(self, _sender: Sender, _to: Jid, _node: Node) -> None:
        """See `Route`; nobody sees who writes one."""

    def _viewers(self, sender: Sender, node: Node) -> Iterator[DeviceRecord]:
        for record in self._broadcasting.named(node):
            if sender.account.lid not in self._accounts.get(record.lid).blocked:
                yield record
