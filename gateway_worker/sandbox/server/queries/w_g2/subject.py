"""The companion renames a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups import settings

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def rename(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Change its subject."""
    text = asked.data.decode(errors="replace")
    settings.rename(group, session.account, text)
    return ()


ANSWERS: Final = (about_group("set", "subject", rename),)
