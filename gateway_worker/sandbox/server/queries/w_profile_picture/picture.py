"""Nobody has a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.queries.w_profile_picture._groups import (
    change_group,
    is_about_group,
)
from gateway_worker.sandbox.server.stanzas import error

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def missing(_session: DeviceSession, query: Node) -> Node | None:
    """Say so."""
    return error(query, 404, "item-not-found")


def change(session: DeviceSession, query: Node) -> Node | None:
    """Take a picture for a group."""
    if is_about_group(query):
        return change_group(session, query)
    return error(query, 501, "feature-not-implemented")


ANSWERS: Final = (
    Answer(xmlns="w:profile:picture", type="get", child=ANY, run=missing),
    Answer(xmlns="w:profile:picture", type="set", child=ANY, run=change),
)
