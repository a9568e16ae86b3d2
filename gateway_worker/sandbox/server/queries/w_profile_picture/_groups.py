"""Pictures of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.server.queries.w_g2._about import or_refusal
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.service.groups import settings
from gateway_worker.sandbox.wire.jid import GROUP_SERVER
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.accounts import Account


def is_about_group(query: Node) -> bool:
    """Whether a query is about a group's picture."""
    target = query.jid("target")
    return target is not None and target.server == GROUP_SERVER


@or_refusal
def change_group(session: DeviceSession, query: Node) -> Node | None:
    """Take a picture for a group, or (without one) take away the one that it has."""
    group = session.service.groups.get(query.require_jid("target"))
    given = query.child("picture")
    picture = given.data if given is not None else b""
    picture_id = settings.set_picture(group, session.account, picture)
    return result(query, Node("picture", {"id": picture_id}))


def group_picture(session: DeviceSession, query: Node) -> tuple[bytes, str, Account]:
    """Return a group's picture (empty without one), its id, and in whose name it is kept."""
    group = session.service.groups.get(query.require_jid("target"))
    return group.picture, group.picture_id, session.account
