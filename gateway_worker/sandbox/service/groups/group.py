"""One group: its members, its settings, and who may do what in it."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.errors import GroupRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.groups.invitations import Invitation
    from gateway_worker.sandbox.wire.jid import Jid

FORBIDDEN: Final = 403


class Role(enum.StrEnum):
    """What a member is; the empty one is nothing special."""

    MEMBER = ""
    ADMIN = "admin"
    OWNER = "superadmin"


class MemberAddMode(enum.StrEnum):
    """Who may add members."""

    EVERYBODY = "all_member_add"
    ADMINS = "admin_add"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A group's name: who gave it, and when (seconds since the epoch)."""

    text: str
    by: Jid
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a group is about; `description_id` names this version of the text."""

    description_id: str
    text: str
    by: Jid
    at: int


@dataclass(slots=True, eq=False, kw_only=True)
class Group:
    """A group; mutable state of the service, changed by `Groups` only.

    Members know each other by LID.

    Attributes:
        jid: its address.
        subject: its name.
        creator: LID of who made it.
        created_at: seconds since the epoch.
        roles: the members, in the order in which they came.
        description: what it is about, if that was said.
        admins_write: whether only admins may write (`announcement`).
        admins_edit: whether only admins may change subject, description and timer (`locked`).
        admins_approve: whether who uses its link waits for an admin.
        requests: who waits so, and since when (seconds since the epoch).
        add_mode: who may add members.
        ephemeral_seconds: after which time messages disappear; 0 is never.
        invitations: what lets accounts in that others may not add.
        members_version: changes with the members.
        announcement_version: changes with `admins_write`.
        picture: a JPEG, if there is one.
        picture_id: names it; another one has another.
        is_community: whether it holds groups, and is no chat.
        is_announcements: whether it is the group for its community's announcements.
        parent: the community that it belongs to.
    """

    jid: Jid
    subject: Subject
    creator: Jid
    created_at: int
    roles: dict[Account, Role] = field(default_factory=dict)
    description: Description | None = None
    admins_write: bool = False
    admins_edit: bool = False
    admins_approve: bool = False
    requests: dict[Account, int] = field(default_factory=dict)
    add_mode: MemberAddMode = MemberAddMode.EVERYBODY
    ephemeral_seconds: int = 0
    invitations: dict[Account, Invitation] = field(default_factory=dict)
    members_version: int = field(default_factory=time.time_ns)
    announcement_version: int = field(default_factory=time.time_ns)
    picture: bytes = b""
    picture_id: str = ""
    is_community: bool = False
    is_announcements: bool = False
    parent: Group | None = None

    @property
    def members(self) -> tuple[Account, ...]:
        """Who is in it."""
        return tuple(self.roles)

    @property
    def devices(self) -> Iterator[DeviceRecord]:
        """All devices of all members."""
        for account in self.roles:
            yield from account.devices.values()

    def is_admin(self, account: Account) -> bool:
        """Tell whether somebody is one of its admins."""
        return self.roles.get(account, Role.MEMBER) is not Role.MEMBER

    def require_member(self, account: Account) -> None:
        """Let only members through.

        Raises:
            GroupRefusedError: 403.
        """
        if account not in self.roles:
            raise GroupRefusedError(FORBIDDEN, "forbidden")

    def require_admin(self, account: Account) -> None:
        """Let only admins through; raises as `require_member`."""
        if not self.is_admin(account):
            raise GroupRefusedError(FORBIDDEN, "forbidden")

    def require_editor(self, account: Account) -> None:
        """Let only those through who may change what the group is; raises as `require_member`."""
        self.require_member(account)
        if self.admins_edit:
            self.require_admin(account)

    def require_writer(self, account: Account) -> None:
        """Let only those through who may write; raises as `require_member`."""
        self.require_member(account)
        if self.admins_write:
            self.require_admin(account)
