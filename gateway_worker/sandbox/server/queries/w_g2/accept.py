"""The companion's account enters a group by an invitation that was sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups.invitations import check_invitation

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def accept(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Let it in, once."""
    check_invitation(group, session.account, asked.get("code"))
    session.service.groups.join(group, session.account)
    return ()


ANSWERS: Final = (about_group("set", "accept", accept),)
