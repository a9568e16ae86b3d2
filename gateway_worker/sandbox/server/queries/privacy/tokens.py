"""Tokens that the companion hands to contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import result

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def keep(session: DeviceSession, query: Node) -> Node | None:
    """Note who got one, and when."""
    for token in query.require_child("tokens").all("token"):
        session.account.trusted[token.require_jid("jid").account] = token.get("t")
    return result(query)


ANSWERS: Final = (Answer(xmlns="privacy", type="set", child="tokens", run=keep),)
