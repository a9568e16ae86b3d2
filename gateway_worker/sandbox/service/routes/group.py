"""Within a group: to all devices of all its members, and back to whoever wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.routes.broadcasting import Broadcasting
from gateway_worker.sandbox.service.routes.device_hash import device_hash

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.service.groups.groups import Groups
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs, Node


class GroupRoute:
    """The way to the members of a group."""

    def __init__(self, *, accounts: Accounts, groups: Groups, faults: FaultBook) -> None:
        """Work on the service's groups; rules say what goes wrong."""
        self._accounts = accounts
        self._groups = groups
        self._broadcasting = Broadcasting(accounts=accounts, faults=faults)

    def message(self, sender: Sender, to: Jid, node: Node) -> Attrs:
        """See `Route`; only members may write, and only admins where that was decided.

        All may react there, and comment on what a community announces.
        """
        asking = node.jid("participant")
        try:
            group = self._groups.get(to)
            if asking is not None:
                return self._repeat(sender, group, asking, node)
            if _is_about(group, node):
                group.require_member(sender.account)
            else:
                group.require_writer(sender.account)
        except GroupRefusedError as error:
            return {"error": str(error.code)}
        if not sender.device.is_repeat(to, node.require("id")):
            self._broadcasting.send(sender, node, tuple(group.devices))
        return _stale_hash(group, node)

    def receipt(self, sender: Sender, to: Jid, node: Node) -> None:
        """See `Route`."""
        self._broadcasting.confirm(sender, to, node)

    def chatstate(self, sender: Sender, to: Jid, node: Node) -> None:
        """See `Route`."""
        group = self._groups.find(to)
        if group is not None and sender.account in group.roles:
            self._broadcasting.show_typing(sender, to, node, tuple(group.devices))

    def _repeat(self, sender: Sender, group: Group, asking: Jid, node: Node) -> Attrs:
        """Answer a retry receipt; what it is about was let through before."""
        group.require_member(sender.account)
        if self._accounts.find(asking) in group.roles:
            self._broadcasting.repeat(sender, node, asking)
        return {}


def _is_about(group: Group, node: Node) -> bool:
    """Tell whether a message adds to another one and is none of its own."""
    meta = node.child("meta")
    is_comment = group.is_announcements and meta is not None and bool(meta.get("thread_msg_id"))
    return is_comment or node.get("type") == "reaction"


def _stale_hash(group: Group, node: Node) -> Attrs:
    """Return the true hash of the members' devices when the sender has another one."""
    true = device_hash(record.lid for record in group.devices)
    return {} if node.get("phash", true) == true else {"phash": true}
