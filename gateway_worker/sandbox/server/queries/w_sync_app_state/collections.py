"""App state that nobody has written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def unchanged(_session: DeviceSession, query: Node) -> Node | None:
    """Return every collection at the version that the client knows."""
    collections = []
    for item in query.require_child("sync").all("collection"):
        attrs: Attrs = {"name": item.require("name"), "version": item.get("version", "0")}
        collections.append(Node("collection", attrs))
    return result(query, Node("sync", {}, tuple(collections)))


ANSWERS: Final = (Answer(xmlns="w:sync:app:state", type="set", child="sync", run=unchanged),)
