"""The companion says what a group is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import about_group
from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups import settings
from gateway_worker.sandbox.service.groups.groups import CONFLICT

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.wire.node import Node


def describe(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Change it, if the version that it replaces is the one there is; without a text, delete it."""
    current = group.description.description_id if group.description else ""
    if asked.get("prev") != current:
        raise GroupRefusedError(CONFLICT, "conflict")
    body = asked.child("body")
    text = body.data.decode(errors="replace") if body else ""
    settings.describe(group, session.account, text, text_id=asked.get("id"))
    return ()


ANSWERS: Final = (about_group("set", "description", describe),)
