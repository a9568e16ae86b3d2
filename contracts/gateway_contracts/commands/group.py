"""Commands that make, look at and change groups, and what they return."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, FailFast, Field

from gateway_contracts.content.group_invite import GroupInviteToSend, InviteCode
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.groups import GroupDescription, GroupDetails, GroupName, MemberRole
from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import MediaSource
from gateway_contracts.model import (
    GroupId,
    InviteLink,
    Jid,
    PageCursor,
    PageLimit,
    PersonId,
    Timestamp,
    WireModel,
    whole,
)
from gateway_contracts.people import Participant

Members = Annotated[
    # At the first fault: a long list would otherwise take long to explain.
    tuple[PersonId, ...],
    FailFast(),
    Field(max_length=256),
]
"""People who are to be in a group, or not."""


class GroupCreateData(WireModel):
    """A new group."""

    name: GroupName
    members: Members = Field((), description="Who is in it beside the account itself.")
    community: GroupId | None = Field(None, description="The community that it is to belong to.")
    is_community: bool = Field(
        default=False,
        description="Make a community, with the group for its announcements; it belongs to none.",
    )


class GroupCreate(CommandEnvelope):
    """Make a group, of which the account is the owner.

    It may succeed though some could not be added; of each that could not the result says why. Ends
    as `uncertain` where nobody can tell whether WhatsApp has made it: if it has, `group.joined`
    follows.
    """

    type: Literal["wa.group.create.v1"] = "wa.group.create.v1"
    data: GroupCreateData


class GroupInfoData(WireModel):
    """Which group, and which of its members."""

    group: GroupId
    limit: Annotated[int, Field(ge=1, le=1_000), BeforeValidator(whole)] = Field(
        500, description="How many members are wanted at most."
    )
    cursor: PageCursor | None = None


class GroupGetInfo(CommandEnvelope):
    """Return all that a member is told of a group."""

    type: Literal["wa.group.info.v1"] = "wa.group.info.v1"
    data: GroupInfoData


class GroupListData(WireModel):
    """How many groups are wanted, and from where on."""

    limit: PageLimit = 50
    cursor: PageCursor | None = None


class GroupList(CommandEnvelope):
    """Return the groups that the account is in, without their members.

    WhatsApp tells all of them each time, with everybody in them: ask seldom, and for large pages.
    """

    type: Literal["wa.group.list.v1"] = "wa.group.list.v1"
    data: GroupListData = Field(default_factory=GroupListData)


class MemberChange(StrEnum):
    """What becomes of members."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    """They become admins."""
    DEMOTE = "demote"


class GroupMembersData(WireModel):
    """Which members of a group, and what becomes of them."""

    group: GroupId
    change: MemberChange
    members: Annotated[Members, Field(min_length=1)]


class GroupMembers(CommandEnvelope):
    """Change who is in a group, or who are its admins.

    Succeeds when WhatsApp has answered; the result says what became of everybody. Of whom it says
    nothing is `refused`, without a `status`.
    """

    type: Literal["wa.group.members.v1"] = "wa.group.members.v1"
    data: GroupMembersData


class NameChange(WireModel):
    """A new name."""

    what: Literal["name"] = "name"
    name: GroupName


class DescriptionChange(WireModel):
    """What the group is about; an empty text takes that back."""

    what: Literal["description"] = "description"
    description: GroupDescription


class PhotoChange(WireModel):
    """A new picture, which becomes a square JPEG."""

    what: Literal["photo"] = "photo"
    media: MediaSource


class AnnounceChange(WireModel):
    """Whether only admins may write."""

    what: Literal["announce"] = "announce"
    only_admins: bool


class LockedChange(WireModel):
    """Whether only admins may change name, description, picture and timer."""

    what: Literal["locked"] = "locked"
    only_admins: bool


class TimerChange(WireModel):
    """After how long messages disappear."""

    what: Literal["timer"] = "timer"
    seconds: Annotated[int, Field(ge=0, le=10 * 366 * 86_400), BeforeValidator(whole)] = Field(
        description="0: never. WhatsApp's apps offer 86,400, 604,800 and 7,776,000.",
    )


GroupChange = Annotated[
    NameChange | DescriptionChange | PhotoChange | AnnounceChange | LockedChange | TimerChange,
    Field(discriminator="what"),
]
"""One thing about a group that is to be another way."""


class GroupSetData(WireModel):
    """A group, and what about it changes: one thing at a time, so that it happens or does not."""

    group: GroupId
    change: GroupChange


class GroupSet(CommandEnvelope):
    """Change what a group is."""

    type: Literal["wa.group.set.v1"] = "wa.group.set.v1"
    data: GroupSetData


class GroupInviteLinkData(WireModel):
    """Which group's link."""

    group: GroupId
    revoke: bool = Field(
        default=False, description="The link there is leads nowhere any more; return a new one."
    )


class GroupInviteLink(CommandEnvelope):
    """Return the link by which everybody can enter a group, as one of its admins."""

    type: Literal["wa.group.invite_link.v1"] = "wa.group.invite_link.v1"
    data: GroupInviteLinkData


class ByLink(WireModel):
    """A link to a group."""

    method: Literal["link"] = "link"
    link: InviteLink


class ByInvite(WireModel):
    """An invitation that was sent to the account: a `group_invite` that has arrived."""

    method: Literal["invite"] = "invite"
    group: GroupId
    inviter: PersonId = Field(description="Who has sent it.")
    code: InviteCode
    expires_at: Timestamp | None = None


class GroupPreviewData(WireModel):
    """What leads to a group."""

    by: Annotated[ByLink | ByInvite, Field(discriminator="method")]


class GroupPreview(CommandEnvelope):
    """Return what a group is to somebody who may enter it, as far as WhatsApp tells."""

    type: Literal["wa.group.preview.v1"] = "wa.group.preview.v1"
    data: GroupPreviewData


class GroupJoinData(WireModel):
    """A link to a group."""

    link: InviteLink


class GroupJoin(CommandEnvelope):
    """Enter a group by its link, or ask its admins, where they want to be asked."""

    type: Literal["wa.group.join.v1"] = "wa.group.join.v1"
    data: GroupJoinData


class GroupAcceptInviteData(WireModel):
    """An invitation that was sent to the account: a `group_invite` that has arrived."""

    group: GroupId
    inviter: PersonId = Field(description="Who has sent it.")
    code: InviteCode
    expires_at: Timestamp | None = None


class GroupAcceptInvite(CommandEnvelope):
    """Enter a group by an invitation; succeeds as well if the account is in it already."""

    type: Literal["wa.group.accept_invite.v1"] = "wa.group.accept_invite.v1"
    data: GroupAcceptInviteData


class GroupLeaveData(WireModel):
    """Which group."""

    group: GroupId


class GroupLeave(CommandEnvelope):
    """Leave a group; succeeds as well if the account is not in it any more."""

    type: Literal["wa.group.leave.v1"] = "wa.group.leave.v1"
    data: GroupLeaveData


class GroupRequestsData(WireModel):
    """Which group's requests."""

    group: GroupId
    limit: PageLimit = 50
    cursor: PageCursor | None = None


class GroupRequests(CommandEnvelope):
    """Return who has asked to enter a group whose admins want to be asked."""

    type: Literal["wa.group.requests.v1"] = "wa.group.requests.v1"
    data: GroupRequestsData


# What they return.


class MemberOutcome(StrEnum):
    """What became of one of those whom a command names."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """It is in the group already."""
    INVITE_ONLY = "invite_only"
    """It lets nobody add it; `invite` can be sent to it instead."""
    NOT_FOUND = "not_found"
    """Nobody has this number, or it is not in the group."""
    REFUSED = "refused"


class MemberResult(WireModel):
    """What became of one of those whom a command names."""

    member: PersonId = Field(description="As the command names it.")
    outcome: MemberOutcome
    status: int | None = Field(None, description="WhatsApp's number of the error, if it was one.")
    invite: GroupInviteToSend | None = Field(
        None, description="Send it with `message.send`, as its `content`, to this person."
    )


class GroupCreated(WireModel):
    """A new group."""

    kind: Literal["group_created"] = "group_created"
    group: Jid
    members: tuple[MemberResult, ...] = Field(
        description="What became of each of those whom the command names, in its order."
    )


class GroupMember(WireModel):
    """Somebody in a group, under the ids that are known."""

    jid: Jid
    lid: Jid | None = None
    role: MemberRole = MemberRole.MEMBER


class GroupInfo(WireModel):
    """A group, and a page of its members."""

    kind: Literal["group"] = "group"
    group: GroupDetails
    members: tuple[GroupMember, ...]
    next_cursor: PageCursor | None = Field(None, description="Absent: there are no more.")


class GroupsListed(WireModel):
    """A page of the account's groups."""

    kind: Literal["groups"] = "groups"
    groups: tuple[GroupDetails, ...]
    next_cursor: PageCursor | None = Field(None, description="Absent: there are no more.")


class MembersChanged(WireModel):
    """What became of members."""

    kind: Literal["group_members"] = "group_members"
    members: tuple[MemberResult, ...] = Field(description="In the order of the command.")


class GroupLink(WireModel):
    """The link by which everybody can enter a group."""

    kind: Literal["group_link"] = "group_link"
    link: Annotated[str, PERSONAL]


class EntryState(StrEnum):
    """How far somebody has come who wants to enter a group."""

    JOINED = "joined"
    REQUESTED = "requested"
    """Its admins have to agree."""
    UNKNOWN = "unknown"
    """One of both: WhatsApp has taken it, and did not tell which. `group.joined` says it is in."""


class GroupEntered(WireModel):
    """The account is in a group, or has asked for it."""

    kind: Literal["group_entered"] = "group_entered"
    group: Jid
    state: EntryState


class JoinRequest(WireModel):
    """Somebody who wants to enter a group."""

    participant: Participant
    requested_at: Timestamp | None = None


class RequestsListed(WireModel):
    """A page of those who want to enter a group."""

    kind: Literal["group_requests"] = "group_requests"
    requests: tuple[JoinRequest, ...]
    next_cursor: PageCursor | None = Field(None, description="Absent: there are no more.")


GroupCommand = (
    GroupCreate
    | GroupGetInfo
    | GroupList
    | GroupMembers
    | GroupSet
    | GroupInviteLink
    | GroupPreview
    | GroupJoin
    | GroupAcceptInvite
    | GroupLeave
    | GroupRequests
)
"""Every command of this family."""

GroupResult = (
    GroupCreated
    | GroupInfo
    | GroupsListed
    | MembersChanged
    | GroupLink
    | GroupEntered
    | RequestsListed
)
"""What they return."""
