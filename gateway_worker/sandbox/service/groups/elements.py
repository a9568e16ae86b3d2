"""Groups and members as elements of stanzas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.group import Description, Group, Role


def group_element(group: Group, *, viewer: Account) -> Node:
    """Write all that a member is told of a group.

    Args:
        group: which.
        viewer: who is told; hidden numbers of others are left out.
    """
    attrs: Attrs = {
        "id": group.jid.user,
        "subject": group.subject.text,
        "s_o": group.subject.by,
        "s_t": str(group.subject.at),
        "creator": group.creator,
        "creation": str(group.created_at),
        "addressing_mode": "lid",
        "size": str(len(group.roles)),
        "p_v_id": str(group.members_version),
        "a_v_id": str(group.announcement_version),
    }
    members = (member_element(one, role, viewer=viewer) for one, role in group.roles.items())
    return Node("group", attrs, (*members, *_settings(group)))


def link_element(group: Group) -> Node:
    """Write what other groups of a community are told of a group."""
    attrs: Attrs = {
        "id": group.jid.user,
        "jid": group.jid,
        "subject": group.subject.text,
        "s_t": str(group.subject.at),
    }
    return Node("group", attrs, (Node("default_sub_group"),) if group.is_announcements else ())


def member_element(
    account: Account, role: Role | None = None, *, viewer: Account | None = None
) -> Node:
    """Write one member by LID, with its number unless that is hidden from the viewer."""
    attrs: Attrs = {"jid": account.lid}
    if account is viewer or not account.hides_number:
        attrs["phone_number"] = account.number
    if role:
        attrs["type"] = role.value
    return Node("participant", attrs)


def member_elements(accounts: Iterable[Account]) -> tuple[Node, ...]:
    """Write members as everybody may see them, without what they are in the group."""
    return tuple(map(member_element, accounts))


def _settings(group: Group) -> tuple[Node, ...]:
    content = [Node("member_add_mode", {}, group.add_mode.value.encode())]
    if group.description is not None:
        content.append(description_element(group.description))
    if group.admins_write:
        content.append(Node("announcement"))
    if group.admins_edit:
        content.append(Node("locked"))
    if group.admins_approve:
        state = Node("group_join", {"state": "on"})
        content.append(Node("membership_approval_mode", {}, (state,)))
    if group.is_community:
        content.append(Node("parent", {"default_membership_approval_mode": "request_required"}))
    if group.parent is not None:
        content.append(Node("linked_parent", {"jid": group.parent.jid}))
    if group.is_announcements:
        content.append(Node("default_sub_group"))
    if group.ephemeral_seconds:
        content.append(Node("ephemeral", {"expiration": str(group.ephemeral_seconds)}))
    return tuple(content)


def description_element(about: Description) -> Node:
    """Write what a group is about, or with an empty text that this was taken back."""
    if not about.text:
        return Node("description", {"id": about.description_id}, (Node("delete"),))
    attrs: Attrs = {"id": about.description_id, "participant": about.by, "t": str(about.at)}
    return Node("description", attrs, (Node("body", {}, about.text.encode()),))
