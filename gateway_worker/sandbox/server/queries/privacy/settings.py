"""Who may see what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.service.profile import PRIVACY_VALUES
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def show(session: DeviceSession, query: Node) -> Node | None:
    """Return all settings."""
    settings = tuple(
        Node("category", {"name": name, "value": value})
        for name, value in session.account.profile.privacy.items()
    )
    return result(query, Node("privacy", {}, settings))


def change(session: DeviceSession, query: Node) -> Node | None:
    """Change some settings, if there is all of that."""
    changes = query.require_child("privacy").all("category")
    known = session.account.profile.privacy
    if any(
        one.get("name") not in known or one.get("value") not in PRIVACY_VALUES for one in changes
    ):
        return error(query, 400, "bad-request")
    for one in changes:
        known[one.get("name")] = one.get("value")
    return show(session, query)


ANSWERS: Final = (
    Answer(xmlns="privacy", type="get", child=ANY, run=show),
    Answer(xmlns="privacy", type="set", child="privacy", run=change),
)
