"""The groups of a community: listed, linked and unlinked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups import communities
from gateway_worker.sandbox.service.groups.elements import link_element
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group


def listed(session: DeviceSession, community: Group, _asked: Node) -> tuple[Node, ...]:
    """Return a community's groups."""
    found = communities.sub_groups(session.service.groups, community, session.account)
    return (Node("sub_groups", {}, tuple(map(link_element, found))),)


def link(session: DeviceSession, community: Group, asked: Node) -> tuple[Node, ...]:
    """Let groups belong to a community."""
    for named in asked.require_child("link").all("group"):
        group = session.service.groups.get(named.require_jid("jid"))
        communities.link(community, group, session.account)
    return ()


def unlink(session: DeviceSession, community: Group, asked: Node) -> tuple[Node, ...]:
    """Let groups belong to a community no longer."""
    for named in asked.all("group"):
        group = session.service.groups.get(named.require_jid("jid"))
        communities.unlink(community, group, session.account)
    return ()


ANSWERS: Final = (
    about_group("get", "sub_groups", listed),
    about_group("set", "links", link),
    about_group("set", "unlink", unlink),
)
