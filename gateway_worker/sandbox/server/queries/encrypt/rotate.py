"""The companion replaces its signed prekey."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.encrypt._wire import signed_prekey
from gateway_worker.sandbox.server.stanzas import error, result

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def rotate(session: DeviceSession, query: Node) -> Node | None:
    """Take the new one."""
    bundle = session.record.bundle
    if bundle is None:
        return error(query, 404, "item-not-found")
    rotated = signed_prekey(query.require_child("rotate", "skey"))
    session.record.bundle = replace(bundle, signed=rotated)
    return result(query)


ANSWERS: Final = (Answer(xmlns="encrypt", type="set", child="rotate", run=rotate),)
