"""Groups, as a member sees them, and what members do with them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from gateway_worker.sandbox.control.models.base import Body


class MemberAction(StrEnum):
    """What is done with members."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"
    APPROVE = "approve"
    REJECT = "reject"


class NewGroup(Body):
    """Make a group; see `GroupChats.create`."""

    subject: str
    members: tuple[str, ...] = ()
    ephemeral_seconds: int = Field(0, ge=0, description="0: messages stay")


class NewCommunity(Body):
    """Make a community; see `GroupChats.create_community`."""

    subject: str
    members: tuple[str, ...] = ()


class CommunityView(Body):
    """A community, and the group for its announcements; both by their addresses."""

    community: str
    announcements: str


class GroupChange(Body):
    """What a group shall be from now on; what is not given stays."""

    subject: str | None = None
    description: str | None = Field(None, description="empty: none any more")
    ephemeral_seconds: int | None = Field(None, ge=0)
    admins_write: bool | None = None
    admins_edit: bool | None = None
    admins_approve: bool | None = None


class MembersChange(Body):
    """Do something with members."""

    action: MemberAction
    members: tuple[str, ...] = Field(min_length=1)


class MemberResult(Body):
    """What became of one of them: 0, or the service's number for why not."""

    lid: str
    code: int


class MemberResults(Body):
    """What became of each of them."""

    results: tuple[MemberResult, ...]


class MemberView(Body):
    """A member; its role is empty, `admin` or `superadmin`."""

    lid: str
    number: str
    role: str


class GroupView(Body):
    """A group."""

    group: str
    subject: str
    description: str
    ephemeral_seconds: int
    admins_write: bool
    admins_edit: bool
    admins_approve: bool
    waiting: tuple[str, ...] = Field(description="LIDs of who asked to be let in")
    members: tuple[MemberView, ...]
    members_version: str = Field(description="the service's name for who is in it now")


class GroupList(Body):
    """The groups that an account is in."""

    groups: tuple[GroupView, ...]


class InviteCode(Body):
    """What lets into a group: a link's code, or that of an invitation to one account."""

    code: str


class Addable(Body):
    """Who may add an account to groups: only contacts, or everybody."""

    contacts_only: bool


class StatusAudience(Body):
    """Who sees an account's status; null is everybody that it exchanged messages with."""

    contacts: tuple[str, ...] | None = None
