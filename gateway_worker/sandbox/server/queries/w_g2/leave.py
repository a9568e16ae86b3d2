"""The companion's account leaves groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.w_g2._about import XMLNS, or_refusal
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def leave(session: DeviceSession, query: Node) -> Node | None:
    """Leave all that the query names."""
    groups = session.service.groups
    addresses = [one.require_jid("id") for one in query.require_child("leave").all("group")]
    for group in [groups.get(address) for address in addresses]:
        groups.leave(group, session.account)
    left = tuple(Node("group", {"id": address}) for address in addresses)
    return result(query, Node("leave", {}, left))


ANSWERS: Final = (Answer(xmlns=XMLNS, type="set", child="leave", run=or_refusal(leave)),)
