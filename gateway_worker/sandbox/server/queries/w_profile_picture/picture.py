"""Nobody has a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import error

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def missing(_session: DeviceSession, query: Node) -> Node | None:
    """Say so."""
    return error(query, 404, "item-not-found")


ANSWERS: Final = (Answer(xmlns="w:profile:picture", type="get", child=ANY, run=missing),)
