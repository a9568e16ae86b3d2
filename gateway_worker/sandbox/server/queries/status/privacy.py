"""Who may see the account's status messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def show(session: DeviceSession, query: Node) -> Node | None:
    """Return the list, or 404: nothing was set, and so all contacts may."""
    audience = session.account.status_audience
    if audience is None:
        return error(query, 404, "item-not-found")
    users = tuple(Node("user", {"jid": jid}) for jid in audience)
    attrs: Attrs = {"type": "whitelist", "default": "true"}
    return result(query, Node("privacy", {}, (Node("list", attrs, users),)))


ANSWERS: Final = (Answer(xmlns="status", type="get", child="privacy", run=show),)
