"""The companion lets a group's messages disappear after a time, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups import settings

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def set_timer(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Set the time, or take it away."""
    seconds = int(asked.get("expiration", "0"))
    settings.set_timer(group, session.account, seconds)
    return ()


ANSWERS: Final = (
    about_group("set", "ephemeral", set_timer),
    about_group("set", "not_ephemeral", set_timer),
)
