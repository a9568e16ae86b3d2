"""Commands about communities, which are groups of groups, and what they return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import GroupId, Jid, PageCursor, PageLimit, WireModel


class CommunityGroupData(WireModel):
    """A community and a group."""

    community: GroupId
    group: GroupId


class CommunityLink(CommandEnvelope):
    """Let a group belong to a community, as an admin of both."""

    type: Literal["wa.community.link.v1"] = "wa.community.link.v1"
    data: CommunityGroupData


class CommunityUnlink(CommandEnvelope):
    """Let a group belong to a community no longer."""

    type: Literal["wa.community.unlink.v1"] = "wa.community.unlink.v1"
    data: CommunityGroupData


class CommunitySubGroupsData(WireModel):
    """Which community's groups."""

    community: GroupId
    limit: PageLimit = 50
    cursor: PageCursor | None = None


class CommunitySubGroups(CommandEnvelope):
    """Return the groups of a community, those that the account is not in as well."""

    type: Literal["wa.community.sub_groups.v1"] = "wa.community.sub_groups.v1"
    data: CommunitySubGroupsData


class SubGroup(WireModel):
    """A group of a community."""

    group: Jid
    name: Annotated[str, PERSONAL]
    is_announcements: bool = Field(
        default=False, description="It is the group for the community's announcements."
    )


class SubGroupsListed(WireModel):
    """A page of a community's groups."""

    kind: Literal["sub_groups"] = "sub_groups"
    groups: tuple[SubGroup, ...]
    next_cursor: PageCursor | None = Field(None, description="Absent: there are no more.")


CommunityCommand = CommunityLink | CommunityUnlink | CommunitySubGroups
"""Every command of this family."""

CommunityResult = SubGroupsListed
"""What they return."""
