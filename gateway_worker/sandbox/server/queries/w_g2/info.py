"""All that a member is told of a group, or somebody who was invited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups.elements import group_element
from gateway_worker.sandbox.service.groups.invitations import check_invitation

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def info(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Return settings and members."""
    invited = asked.child("add_request")
    if invited is None:
        group.require_member(session.account)
    else:
        check_invitation(group, session.account, invited.get("code"))
    return (group_element(group, viewer=session.account),)


ANSWERS: Final = (about_group("get", "query", info),)
