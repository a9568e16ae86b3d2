"""Groups and communities.

Groups are JIDs, people phone numbers (digits) or JIDs. What is answered is written as the contract
writes it: the worker only reads it once more.
"""

from typing import Any

from gateway_worker.host_protocol.methods.method import Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer


class GroupAnswer(Answer, frozen=True, kw_only=True, tag="group"):
    """What WhatsApp says of a group.

    Attributes:
        data: What is to be told, by the names of the contract.
        following: Of a list, the place of what comes after it; None if that is all.
        seconds: How long the library needed.
    """

    data: dict[str, Any]
    following: int | None = None
    seconds: float = 0.0


class _Question(Method[GroupAnswer], frozen=True, kw_only=True):
    """What changes nothing."""

    result = GroupAnswer
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 20.0


class _Change(Method[GroupAnswer], frozen=True, kw_only=True):
    """What changes nothing more when it is repeated."""

    result = GroupAnswer
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 20.0


class ReadGroup(_Question, frozen=True, kw_only=True, tag="group.info"):
    """Return a group's details and `most` of its members from a place on."""

    group: str
    first: int
    most: int


class AskMembership(_Question, frozen=True, kw_only=True, tag="group.membership"):
    """Tell whether the account is in a group (`is_in`)."""

    timeout_seconds = 10.0

    group: str


class ListGroups(_Question, frozen=True, kw_only=True, tag="group.list"):
    """Return the details of `most` of the account's groups from a place on."""

    first: int
    most: int


class PreviewGroup(_Question, frozen=True, kw_only=True, tag="group.preview"):
    """Return what a group is to which a link leads, named by its code."""

    code: str


class PreviewInvite(_Question, frozen=True, kw_only=True, tag="group.preview_invite"):
    """Return what a group is to which somebody has invited the account.

    Attributes:
        group: Which.
        inviter: Who has sent the invitation.
        code: What it says.
        expires_at: Until when it is valid, in Unix seconds; 0 if it does not say so.
    """

    group: str
    inviter: str
    code: str
    expires_at: int = 0


class ListJoinRequests(_Question, frozen=True, kw_only=True, tag="group.requests"):
    """Return `most` of those who want to enter a group, from a place on."""

    group: str
    first: int
    most: int


class ListSubGroups(_Question, frozen=True, kw_only=True, tag="community.sub_groups"):
    """Return `most` of a community's groups, from a place on."""

    community: str
    first: int
    most: int


class CreateGroup(Method[GroupAnswer], frozen=True, kw_only=True, tag="group.create"):
    """Make a group.

    Attributes:
        name: What it is called.
        members: Who is in it beside the account.
        community: The community that it belongs to.
        is_community: Whether it is one itself.
    """

    result = GroupAnswer
    effect = Effect.ONCE
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 40.0

    name: str
    members: tuple[str, ...] = ()
    community: str | None = None
    is_community: bool = False


class ChangeMembers(_Change, frozen=True, kw_only=True, tag="group.members"):
    """Change who is in a group: `change` is `add`, `remove`, `promote` or `demote`."""

    group: str
    change: str
    members: tuple[str, ...]


class ChangeGroup(_Change, frozen=True, kw_only=True, tag="group.set"):
    """Change what a group is.

    Attributes:
        group: Which.
        change: What about it, as the contract writes it.
        picture: Of a new picture, the file, in the session's directory: a JPEG.
    """

    timeout_seconds = 40.0

    group: str
    change: dict[str, Any]
    picture: str | None = None


class ReadInviteLink(_Change, frozen=True, kw_only=True, tag="group.invite_link"):
    """Return a group's link, or revoke that and return another."""

    group: str
    revoke: bool = False


class JoinGroup(_Change, frozen=True, kw_only=True, tag="group.join"):
    """Enter a group by the code of its link, or ask for it; answers which group that is."""

    code: str


class AcceptInvite(_Change, frozen=True, kw_only=True, tag="group.accept_invite"):
    """Enter a group by an invitation; attributes as of `PreviewInvite`."""

    group: str
    inviter: str
    code: str
    expires_at: int = 0


class LeaveGroup(_Change, frozen=True, kw_only=True, tag="group.leave"):
    """Leave a group."""

    group: str


class LinkGroup(_Change, frozen=True, kw_only=True, tag="community.link"):
    """Let a group belong to a community, or not any more."""

    community: str
    group: str
    linked: bool


GroupCall = (
    ReadGroup
    | AskMembership
    | ListGroups
    | PreviewGroup
    | PreviewInvite
    | ListJoinRequests
    | ListSubGroups
    | CreateGroup
    | ChangeMembers
    | ChangeGroup
    | ReadInviteLink
    | JoinGroup
    | AcceptInvite
    | LeaveGroup
    | LinkGroup
)
"""Every method of this family."""
