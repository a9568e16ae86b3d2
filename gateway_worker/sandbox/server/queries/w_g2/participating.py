"""The groups that the account is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.w_g2._about import XMLNS
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.service.groups.elements import group_element
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def participating(session: DeviceSession, query: Node) -> Node | None:
    """Return all of them, with members and descriptions."""
    groups = session.service.groups.of(session.account)
    elements = tuple(group_element(group, viewer=session.account) for group in groups)
    return result(query, Node("groups", {}, elements))


ANSWERS: Final = (Answer(xmlns=XMLNS, type="get", child="participating", run=participating),)
