"""All that a member is told of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups.elements import group_element

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def info(session: DeviceSession, group: Group, _asked: Node) -> tuple[Node, ...]:
    """Return settings and members."""
    group.require_member(session.account)
    return (group_element(group, viewer=session.account),)


ANSWERS: Final = (about_group("get", "query", info),)
