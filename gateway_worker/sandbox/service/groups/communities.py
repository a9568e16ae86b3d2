"""Communities: groups that hold groups, with one for announcements that all their members are in.

Members of both sides are told when a group is linked or unlinked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups.changes import tell_members
from gateway_worker.sandbox.service.groups.elements import link_element
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.group import Group

CONFLICT = 409
NOT_ACCEPTABLE = 406
NOT_FOUND = 404


def require_community(group: Group) -> None:
    """Let only communities through.

    Raises:
        GroupRefusedError: 406.
    """
    if not group.is_community:
        raise GroupRefusedError(NOT_ACCEPTABLE, "not-acceptable")


def sub_groups(groups: Iterable[Group], community: Group, actor: Account) -> tuple[Group, ...]:
    """Return the groups of a community.

    Raises:
        GroupRefusedError: 403: the actor is not in it. 406: it is none.
    """
    require_community(community)
    community.require_member(actor)
    return tuple(group for group in groups if group.parent is community)


def link(community: Group, group: Group, actor: Account) -> None:
    """Let a group belong to a community.

    Raises:
        GroupRefusedError: 403: the actor is no admin of both. 406: it is no community, or the group
            is one. 409: the group belongs to one.
    """
    require_community(community)
    community.require_admin(actor)
    group.require_admin(actor)
    if group.is_community:
        raise GroupRefusedError(NOT_ACCEPTABLE, "not-acceptable")
    if group.parent is not None:
        raise GroupRefusedError(CONFLICT, "conflict")
    group.parent = community
    _tell(community, group, actor, "link")


def unlink(community: Group, group: Group, actor: Account) -> None:
    """Let a group belong to a community no longer; raises as `link`, and 404 if it does not."""
    require_community(community)
    community.require_admin(actor)
    if group.parent is not community or group.is_announcements:
        raise GroupRefusedError(NOT_FOUND, "item-not-found")
    group.parent = None
    _tell(community, group, actor, "unlink")


def _tell(community: Group, group: Group, actor: Account, tag: str) -> None:
    for told, kind, other in (
        (community, "sub_group", group),
        (group, "parent_group", community),
    ):
        attrs: Attrs = {f"{tag}_type": kind}
        if tag == "unlink":
            attrs["unlink_reason"] = "unlink_group"
        tell_members(told, actor, Node(tag, attrs, (link_element(other),)))
