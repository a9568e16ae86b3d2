"""Which keys of the companion the service has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.encrypt._wire import ID_BYTES, published
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def digest(session: DeviceSession, query: Node) -> Node | None:
    """Return the published keys and the ids of the one-time prekeys."""
    bundle = session.record.bundle
    if bundle is None:
        return error(query, 404, "item-not-found")
    ids = tuple(
        Node("id", {}, key.key_id.to_bytes(ID_BYTES, "big")) for key in session.record.prekeys
    )
    content = (*published(bundle), Node("list", {}, ids))
    return result(query, Node("digest", {}, content))


ANSWERS: Final = (Answer(xmlns="encrypt", type="get", child="digest", run=digest),)
