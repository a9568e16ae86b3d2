"""Links that lead to an account, and whose they are."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.service.profiles import find_by_link
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def own(session: DeviceSession, query: Node) -> Node | None:
    """Tell the account's own code, a new one if the old one is to end."""
    profile = session.account.profile
    if query.require_child("qr").get("action") == "revoke":
        profile.link_code = secrets.token_hex(7).upper()
    return result(query, Node("qr", {"code": profile.link_code, "type": "contact"}))


def resolve(session: DeviceSession, query: Node) -> Node | None:
    """Tell whose code it is; that of a business has more to say."""
    account = find_by_link(session.service.accounts, query.require_child("qr").get("code"))
    if account is None:
        return error(query, 404, "item-not-found")
    profile = account.profile
    children: tuple[Node, ...] = ()
    if profile.verified_name:
        business: Attrs = {
            "is_signed": "true",
            "verified_name": profile.verified_name,
            "verified_level": "high",
        }
        children = (
            Node("message", {}, profile.greeting.encode()),
            Node("business", business),
        )
    attrs: Attrs = {"jid": account.number, "type": "contact", "notify": account.push_name}
    return result(query, Node("qr", attrs, children))


ANSWERS: Final = (
    Answer(xmlns="w:qr", type="set", child=ANY, run=own),
    Answer(xmlns="w:qr", type="get", child=ANY, run=resolve),
)
