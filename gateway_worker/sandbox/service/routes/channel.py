"""To a channel: from the account that owns it to the devices of all who follow it.

A post is not encrypted. What changes one comes under its id, with `edit`, and reaches everybody as
it stands; a deletion has nothing in it. Who follows may react, by the number of the post, which
nobody else is told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.routes.forwarding import forwarded_attrs, forwarded_children
from gateway_worker.sandbox.service.routes.nowhere import NowhereRoute
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.channels import Channel, Channels
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid

NOT_ALLOWED: Final = "401"
UNKNOWN_POST: Final = "404"
READ_HERE: Final = "read-self"


class ChannelRoute:
    """The way to a channel."""

    def __init__(self, *, accounts: Accounts, channels: Channels) -> None:
        """Work on the service's accounts and channels."""
        self._accounts = accounts
        self._channels = channels
        self._nowhere = NowhereRoute()

    def message(self, sender: Sender, to: Jid, node: Node) -> Attrs:
        """See `Route`."""
        channel = self._channels.find(to)
        if channel is None:
            return self._nowhere.message(sender, to, node)
        if node.get("type") == "reaction":
            return self._react(sender, channel, node)
        if channel.owner != sender.account.lid:
            return {"error": NOT_ALLOWED}
        post_id, is_change = node.require("id"), "edit" in node.attrs
        if is_change and post_id not in channel.posts:
            return {"error": UNKNOWN_POST}
        is_repeat = not is_change and post_id in channel.posts
        number = str(channel.number_of(post_id))
        if not is_repeat:
            self._deliver(sender, channel, node, number)
        return {"server_id": number}

    def receipt(self, sender: Sender, to: Jid, node: Node) -> None:
        """See `Route`: nobody is told who has read what, but it is kept."""
        channel = self._channels.find(to)
        if channel is not None and node.get("type") == READ_HERE:
            items = node.child("list")
            ids = [
                node.require("id"),
                *(one.get("id") for one in (items.all("item") if items else ())),
            ]
            channel.read.setdefault(sender.account.lid, set()).update(ids)

    def chatstate(self, _sender: Sender, _to: Jid, _node: Node) -> None:
        """See `Route`: nobody is told who writes."""

    def _react(self, sender: Sender, channel: Channel, node: Node) -> Attrs:
        account, number = sender.account.lid, int(node.get("server_id", "0"))
        if account != channel.owner and account not in channel.followers:
            return {"error": NOT_ALLOWED}
        if number not in channel.posts.values():
            return {"error": UNKNOWN_POST}
        emoji = node.require_child("reaction").get("code")
        if emoji:
            channel.reactions[number, account] = emoji
        else:
            channel.reactions.pop((number, account), None)
        return {}

    def _deliver(self, sender: Sender, channel: Channel, node: Node, number: str) -> None:
        attrs: Attrs = {
            **forwarded_attrs(node),
            "from": channel.jid,
            "t": now(),
            "server_id": number,
        }
        for address in sorted({channel.owner, *channel.followers}, key=str):
            account = self._accounts.find(address)
            if account is None:  # it was removed since
                continue
            for record in account.devices.values():
                if record is not sender.device:
                    record.mailbox.put(Node("message", dict(attrs), forwarded_children(node)))
