"""Events of groups: the account is in one, something about one changes, people come and go."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.groups import GroupDetails
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, Jid, Timestamp
from gateway_contracts.people import Participant


class GroupEventData(ChatEventData):
    """Which group it is, and who has done it."""

    chat: Jid = Field(description="The group.")
    by: Participant | None = Field(None, description="Who has done it, if that is told.")
    timestamp: Timestamp | None = Field(None, description="WhatsApp's time, if it is told.")
    partial: bool = Field(
        default=False, description="As in `message.received`: something of it did not fit."
    )


class GroupJoinedData(GroupEventData):
    """A group that the account is in now."""

    details: GroupDetails
    is_new: bool = Field(default=False, description="It was just made.")
    reason: Annotated[FreeText, Field(max_length=64)] | None = Field(
        None, description="In WhatsApp's own word, such as `invite`, if it gives one."
    )
    members_version: Annotated[FreeText, Field(max_length=64)] | None = Field(
        None, description="WhatsApp's name for who is in it now; changes with that."
    )


class GroupJoined(SessionEventEnvelope):
    """The account is in a group: it was added, has entered, or has made it."""

    type: Literal["wa.group.joined.v1"] = "wa.group.joined.v1"
    data: GroupJoinedData


class GroupAspect(StrEnum):
    """What about a group has changed."""

    NAME = "name"
    DESCRIPTION = "description"
    PHOTO = "photo"
    ANNOUNCE = "announce"
    LOCKED = "locked"
    TIMER = "timer"
    INVITE_LINK = "invite_link"
    LINKED = "linked"
    """It belongs to a community now, or another group of its community does."""
    UNLINKED = "unlinked"
    DELETED = "deleted"
    OTHER = "other"
    """What has no name here: `other` has WhatsApp's own."""


class GroupUpdatedData(GroupEventData):
    """What a group is now; of the fields that follow `what` only those of what has changed."""

    what: tuple[GroupAspect, ...]
    name: Annotated[str, PERSONAL] | None = None
    description: Annotated[str, PERSONAL] | None = Field(
        None, description="Absent: it was taken back."
    )
    photo_removed: bool | None = None
    announce: bool | None = Field(None, description="Only admins may write.")
    locked: bool | None = Field(None, description="Only admins may change what it is.")
    disappearing_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Absent: messages stay."
    )
    invite_link: Annotated[str, PERSONAL] | None = Field(None, description="The link there is now.")
    related: Jid | None = Field(
        None, description="Of `linked` and `unlinked`: the community, or the other group."
    )
    related_name: Annotated[str, PERSONAL] | None = None
    other: tuple[Annotated[FreeText, Field(max_length=64)], ...] = ()


class GroupUpdated(SessionEventEnvelope):
    """Somebody has changed what a group is."""

    type: Literal["wa.group.updated.v1"] = "wa.group.updated.v1"
    data: GroupUpdatedData


class ParticipantsChange(StrEnum):
    """What has become of people in a group."""

    JOINED = "joined"
    LEFT = "left"
    """By themselves, or `by` somebody else has removed them."""
    PROMOTED = "promoted"
    DEMOTED = "demoted"


class GroupParticipantsData(GroupEventData):
    """Who comes and goes."""

    change: ParticipantsChange
    members: tuple[Participant, ...]
    is_me: bool = Field(default=False, description="The account itself is among them.")
    reason: Annotated[FreeText, Field(max_length=64)] | None = Field(
        None, description="In WhatsApp's own word, such as `invite`, if it gives one."
    )
    members_version: Annotated[FreeText, Field(max_length=64)] | None = Field(
        None, description="As in `group.joined`."
    )


class GroupParticipants(SessionEventEnvelope):
    """Members of a group have come, gone, or are admins or not any more."""

    type: Literal["wa.group.participants.v1"] = "wa.group.participants.v1"
    data: GroupParticipantsData


class GroupJoinRequestedData(GroupEventData):
    """Who wants to enter."""

    members: tuple[Participant, ...]
    withdrawn: bool = Field(default=False, description="They do not want to any more.")
    method: Annotated[FreeText, Field(max_length=64)] | None = Field(
        None, description="How they came, in WhatsApp's own word, such as `invite_link`."
    )


class GroupJoinRequested(SessionEventEnvelope):
    """Somebody wants to enter a group of which the account is an admin."""

    type: Literal["wa.group.join_requested.v1"] = "wa.group.join_requested.v1"
    data: GroupJoinRequestedData


GroupEvent = GroupJoined | GroupUpdated | GroupParticipants | GroupJoinRequested
"""Every event of this family."""
