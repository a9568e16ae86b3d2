"""How many one-time prekeys of the companion are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def count(session: DeviceSession, query: Node) -> Node | None:
    """Return the number."""
    left = len(session.record.prekeys)
    return result(query, Node("count", {"value": str(left)}))


ANSWERS: Final = (Answer(xmlns="encrypt", type="get", child="count", run=count),)
