"""Who may see what: everything is open to all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer, accept
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


NAMES: Final = ("last", "online", "profile", "status", "groupadd", "readreceipts", "calladd")


def show(_session: DeviceSession, query: Node) -> Node | None:
    """Return all settings."""
    settings = tuple(Node("category", {"name": name, "value": "all"}) for name in NAMES)
    return result(query, Node("privacy", {}, settings))


ANSWERS: Final = (
    Answer(xmlns="privacy", type="get", child=ANY, run=show),
    Answer(xmlns="privacy", type="set", child=ANY, run=accept),
)
