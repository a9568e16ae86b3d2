"""The companion says what is for a group's admins alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.groups import settings

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def writing(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Let only admins write, or everybody."""
    only = asked.tag == "announcement"
    settings.let_admins_write(group, session.account, only=only)
    return ()


def editing(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Let only admins change what the group is, or everybody."""
    only = asked.tag == "locked"
    settings.let_admins_edit(group, session.account, only=only)
    return ()


ANSWERS: Final = (
    about_group("set", "announcement", writing),
    about_group("set", "not_announcement", writing),
    about_group("set", "locked", editing),
    about_group("set", "unlocked", editing),
)
