"""The accounts that this one has blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def show(session: DeviceSession, query: Node) -> Node | None:
    """Return all of them."""
    items = tuple(Node("item", {"jid": jid}) for jid in sorted(session.account.blocked, key=str))
    return result(query, Node("list", {"addressing_mode": "lid"}, items))


def change(session: DeviceSession, query: Node) -> Node | None:
    """Block or unblock one account."""
    item = query.require_child("item")
    other = session.service.accounts.find(item.require_jid("jid"))
    if other is None:
        return error(query, 404, "item-not-found")
    if item.get("action") == "block":
        session.account.blocked.add(other.lid)
    else:
        session.account.blocked.discard(other.lid)
    return show(session, query)


ANSWERS: Final = (
    Answer(xmlns="blocklist", type="get", child=ANY, run=show),
    Answer(xmlns="blocklist", type="set", child="item", run=change),
)
