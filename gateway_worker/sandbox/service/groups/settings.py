"""What a group is: its name, what it is about, its timer, and what is for its admins alone.

Each change is checked, made and told to the members.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups.changes import tell_members
from gateway_worker.sandbox.service.groups.elements import description_element
from gateway_worker.sandbox.service.groups.group import Description, Subject
from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.group import Group

NOT_ACCEPTABLE: Final = 406
MAX_SUBJECT: Final = 100
_JPEG: Final = b"\xff\xd8\xff"


def rename(group: Group, actor: Account, subject: str) -> None:
    """Change a group's name.

    Raises:
        GroupRefusedError: 403: the actor may not. 406: it is too long, or empty.
    """
    group.require_editor(actor)
    check_subject(subject)
    group.subject = Subject(text=subject, by=actor.lid, at=int(time.time()))
    attrs: Attrs = {"subject": subject, "s_o": actor.lid, "s_t": str(group.subject.at)}
    tell_members(group, actor, Node("subject", attrs))


def describe(group: Group, actor: Account, text: str, *, text_id: str = "") -> None:
    """Say what a group is about; an empty text takes that back.

    Raises:
        GroupRefusedError: 403: the actor may not.
    """
    group.require_editor(actor)
    about = Description(
        description_id=text_id or secrets.token_hex(8).upper(),
        text=text,
        by=actor.lid,
        at=int(time.time()),
    )
    group.description = about if text else None
    tell_members(group, actor, description_element(about))


def set_timer(group: Group, actor: Account, seconds: int) -> None:
    """Let messages disappear after a time, or (0) never; raises as `describe`."""
    group.require_editor(actor)
    group.ephemeral_seconds = seconds
    timer = Node("ephemeral", {"expiration": str(seconds)})
    tell_members(group, actor, timer if seconds else Node("not_ephemeral"))


def let_admins_write(group: Group, actor: Account, *, only: bool) -> None:
    """Let only admins write, or everybody.

    Raises:
        GroupRefusedError: 403: the actor is no admin.
    """
    group.require_admin(actor)
    group.admins_write = only
    group.announcement_version = time.time_ns()
    tag = "announcement" if only else "not_announcement"
    tell_members(group, actor, Node(tag, {"v_id": str(group.announcement_version)}))


def let_admins_edit(group: Group, actor: Account, *, only: bool) -> None:
    """Let only admins change what the group is, or everybody; raises as `let_admins_write`."""
    group.require_admin(actor)
    group.admins_edit = only
    tell_members(group, actor, Node("locked" if only else "unlocked"))


def let_admins_approve(group: Group, actor: Account, *, only: bool) -> None:
    """Let who uses the link wait for an admin, or enter at once; raises as `let_admins_write`."""
    group.require_admin(actor)
    group.admins_approve = only
    state = Node("group_join", {"state": "on" if only else "off"})
    tell_members(group, actor, Node("membership_approval_mode", {}, (state,)))


def set_picture(group: Group, actor: Account, picture: bytes) -> str:
    """Change a group's picture, or (empty) take it away; returns its id, "" without one.

    Raises:
        GroupRefusedError: 403: the actor may not. 406: it is no JPEG.
    """
    group.require_editor(actor)
    if picture and not picture.startswith(_JPEG):
        raise GroupRefusedError(NOT_ACCEPTABLE, "not-acceptable")
    group.picture = picture
    group.picture_id = str(time.time_ns() // 1_000_000) if picture else ""
    attrs: Attrs = {"jid": group.jid, "author": actor.lid}
    change = Node("set", {**attrs, "id": group.picture_id}) if picture else Node("delete", attrs)
    notice: Attrs = {"type": "picture", "from": group.jid, "t": now()}
    for account in group.members:
        for companion in account.companions:
            push(companion, Node("notification", dict(notice), (change,)))
    return group.picture_id


def check_subject(subject: str) -> None:
    """Let only through what can be a group's name.

    Raises:
        GroupRefusedError: 406.
    """
    if not 0 < len(subject) <= MAX_SUBJECT:
        raise GroupRefusedError(NOT_ACCEPTABLE, "not-acceptable")
