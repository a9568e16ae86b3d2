"""The link of a group: shown and renewed by its admins, looked at and used by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.w_g2._about import XMLNS, or_refusal
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.service.groups.elements import group_element
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def show(session: DeviceSession, query: Node) -> Node | None:
    """Return a group's link, or to which group one leads."""
    groups, account = session.service.groups, session.account
    code = query.require_child("invite").get("code")
    if code:
        return result(query, group_element(groups.links.find(code), viewer=account))
    shown = groups.links.code(groups.get(query.require_jid("to")), account)
    return result(query, Node("invite", {"code": shown}))


def use(session: DeviceSession, query: Node) -> Node | None:
    """Enter the group that a link leads to, or ask its admins; without a link, renew a group's."""
    groups, account = session.service.groups, session.account
    code = query.require_child("invite").get("code")
    if code:
        group = groups.links.find(code)
        entered = groups.use_link(group, account)
        tag = "group" if entered else "membership_approval_request"
        return result(query, Node(tag, {"jid": group.jid}))
    renewed = groups.links.renew(groups.get(query.require_jid("to")), account)
    return result(query, Node("invite", {"code": renewed}))


ANSWERS: Final = (
    Answer(xmlns=XMLNS, type="get", child="invite", run=or_refusal(show)),
    Answer(xmlns=XMLNS, type="set", child="invite", run=or_refusal(use)),
)
