"""The companion replaces its signed prekey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.encrypt._wire import signed_prekey
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.service.interface import KeyBundle

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def rotate(session: DeviceSession, query: Node) -> Node | None:
    """Take the new one."""
    bundle = session.record.bundle
    if bundle is None:
        return error(query, 404, "item-not-found")
    session.record.bundle = KeyBundle(
        registration_id=bundle.registration_id,
        identity=bundle.identity,
        signed_prekey=signed_prekey(query.require_child("rotate", "skey")),
    )
    return result(query)


ANSWERS: Final = (Answer(xmlns="encrypt", type="set", child="rotate", run=rotate),)
