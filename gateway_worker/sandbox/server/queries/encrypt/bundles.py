"""The keys of others, to open a session with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.encrypt._wire import one_time, published
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.signal.keys import PreKeyBundle
    from gateway_worker.sandbox.wire.jid import Jid


def bundles(session: DeviceSession, query: Node) -> Node | None:
    """Return one bundle per device; each consumes a one-time prekey."""
    wanted = [user.require_jid("jid") for user in query.require_child("key").all("user")]
    found = session.service.keys.fetch(wanted)
    users = tuple(_user(jid, found.get(jid)) for jid in wanted)
    return result(query, Node("list", {}, users))


def _user(jid: Jid, bundle: PreKeyBundle | None) -> Node:
    if bundle is None:
        missing = Node("error", {"code": "404", "text": "item-not-found"})
        return Node("user", {"jid": jid}, (missing,))
    content = published(bundle)
    if bundle.one_time is not None:
        content += (Node("key", {}, one_time(bundle.one_time)),)
    return Node("user", {"jid": jid}, content)


ANSWERS: Final = (Answer(xmlns="encrypt", type="get", child="key", run=bundles),)
