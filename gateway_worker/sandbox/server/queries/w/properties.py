"""Properties of the service: none that changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def none(_session: DeviceSession, query: Node) -> Node | None:
    """Return an empty set."""
    return result(query, Node("props", {"protocol": "2", "hash": "none", "refresh": "86400"}))


ANSWERS: Final = (Answer(xmlns="w", type="get", child=ANY, run=none),)
