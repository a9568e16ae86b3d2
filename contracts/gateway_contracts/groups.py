"""Groups as commands and events tell of them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, Jid, Timestamp, WireModel

GroupName = Annotated[FreeText, Field(min_length=1, max_length=100), PERSONAL]
GroupDescription = Annotated[FreeText, Field(max_length=2_048), PERSONAL]


class MemberRole(StrEnum):
    """What somebody is in a group."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


class GroupDetails(WireModel):
    """What a group is, without who is in it."""

    group: Jid
    name: Annotated[str, PERSONAL]
    description: Annotated[str, PERSONAL] | None = Field(
        None, description="Left out where groups are listed."
    )
    owner: Jid | None = Field(None, description="Who has made it, if that is told.")
    created_at: Timestamp | None = Field(
        None, description="Two minutes off at most: the library rounds it."
    )
    size: Annotated[int, Field(ge=0)] = Field(
        0, description="How many are in it, as far as the account is told."
    )
    announce: bool = Field(default=False, description="Only admins may write.")
    locked: bool = Field(
        default=False, description="Only admins may change name, description, picture and timer."
    )
    disappearing_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="After how long messages disappear; absent, they stay."
    )
    is_community: bool = Field(default=False, description="It is a community, not a chat.")
    community: Jid | None = Field(None, description="The community that it belongs to.")
    is_announcements: bool = Field(
        default=False, description="It is the group for its community's announcements."
    )
