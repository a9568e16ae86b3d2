"""Groups: making them, changing them, leaving them; and who sees a status."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.control.views import group_view
from gateway_worker.sandbox.phones.phone import Phone


def create_group(phone: Phone, body: models.NewGroup) -> models.GroupView:
    """Make a group of the phone's account and others."""
    group = phone.groups.create(
        body.subject, body.members, ephemeral_seconds=body.ephemeral_seconds
    )
    return group_view(group)


def create_community(phone: Phone, body: models.NewCommunity) -> models.CommunityView:
    """Make a community of the phone's account and others, with its group for announcements."""
    community = phone.groups.create_community(body.subject, body.members).jid
    announcements = phone.groups.announcements_of(community).jid
    return models.CommunityView(community=str(community), announcements=str(announcements))


def list_groups(phone: Phone) -> models.GroupList:
    """List the groups that the phone's account is in."""
    return models.GroupList(groups=tuple(map(group_view, phone.groups.joined)))


def show_group(phone: Phone, group: str) -> models.GroupView:
    """Show a group that the phone's account is in."""
    return group_view(phone.groups.get(group))


def change_group(phone: Phone, group: str, body: models.GroupChange) -> models.GroupView:
    """Change what a group is; what is not given stays."""
    if body.subject is not None:
        phone.groups.rename(group, body.subject)
    if body.description is not None:
        phone.groups.describe(group, body.description)
    if body.ephemeral_seconds is not None:
        phone.groups.set_timer(group, body.ephemeral_seconds)
    if body.admins_write is not None:
        phone.groups.let_admins_write(group, only=body.admins_write)
    if body.admins_edit is not None:
        phone.groups.let_admins_edit(group, only=body.admins_edit)
    if body.admins_approve is not None:
        phone.groups.let_admins_approve(group, only=body.admins_approve)
    return show_group(phone, group)


def change_members(phone: Phone, group: str, body: models.MembersChange) -> models.MemberResults:
    """Add members, let them in who ask for it, remove them, or change who is an admin.

    Returns what became of each.
    """
    change = {
        models.MemberAction.ADD: phone.groups.add,
        models.MemberAction.REMOVE: phone.groups.remove,
        models.MemberAction.PROMOTE: phone.groups.promote,
        models.MemberAction.DEMOTE: phone.groups.demote,
        models.MemberAction.APPROVE: phone.groups.approve,
        models.MemberAction.REJECT: phone.groups.reject,
    }[body.action]
    results = change(group, body.members)
    return models.MemberResults(
        results=tuple(models.MemberResult(lid=one.user, code=code) for one, code in results.items())
    )


def leave_group(phone: Phone, group: str) -> None:
    """Leave a group."""
    phone.groups.leave(group)


def show_link(phone: Phone, group: str) -> models.InviteCode:
    """Show the code of a group's link, as its admins can."""
    return models.InviteCode(code=phone.groups.link(group))


def renew_link(phone: Phone, group: str) -> models.InviteCode:
    """Revoke a group's link; returns the code of the new one."""
    return models.InviteCode(code=phone.groups.renew_link(group))


def join_group(phone: Phone, body: models.InviteCode) -> models.GroupView:
    """Enter the group that a link leads to, or ask its admins."""
    return group_view(phone.groups.join(body.code))


def accept_invitation(phone: Phone, group: str, body: models.InviteCode) -> None:
    """Enter a group by an invitation that was sent to this account."""
    phone.groups.accept(group, body.code)


def let_contacts_add(phone: Phone, body: models.Addable) -> None:
    """Let only contacts add the account to groups, or everybody."""
    phone.groups.let_contacts_add(only=body.contacts_only)


def show_status_to(phone: Phone, body: models.StatusAudience) -> None:
    """Choose who sees what the phone writes to `status@broadcast`."""
    phone.show_status_to(body.contacts)


GROUPS: Final = "/phones/{number}/groups"
OPERATIONS: Final = (
    Operation(name="create_group", route=f"POST {GROUPS}", run=create_group, status=201),
    Operation(
        name="create_community",
        route="POST /phones/{number}/communities",
        run=create_community,
        status=201,
    ),
    Operation(name="groups", route=f"GET {GROUPS}", run=list_groups, returns="groups"),
    Operation(name="group", route=f"GET {GROUPS}/{{group}}", run=show_group),
    Operation(name="change_group", route=f"PATCH {GROUPS}/{{group}}", run=change_group),
    Operation(
        name="change_members",
        route=f"POST {GROUPS}/{{group}}/members",
        run=change_members,
        returns="results",
    ),
    Operation(
        name="group_link", route=f"GET {GROUPS}/{{group}}/link", run=show_link, returns="code"
    ),
    Operation(
        name="renew_group_link",
        route=f"POST {GROUPS}/{{group}}/link",
        run=renew_link,
        returns="code",
    ),
    Operation(name="join_group", route="POST /phones/{number}/joined-groups", run=join_group),
    Operation(
        name="accept_invitation",
        route=f"POST {GROUPS}/{{group}}/accepted",
        run=accept_invitation,
    ),
    Operation(name="let_contacts_add", route="PUT /phones/{number}/addable", run=let_contacts_add),
    Operation(name="leave_group", route=f"DELETE {GROUPS}/{{group}}", run=leave_group),
    Operation(
        name="show_status_to",
        route="PUT /phones/{number}/status-audience",
        run=show_status_to,
        positional=("contacts",),
    ),
)
