"""Commands about WhatsApp's channels, and what they return. Posting is `message.send`."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, FailFast, Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import (
    CHANNEL_INVITE_PATTERN,
    ChannelId,
    FreeText,
    Jid,
    MessageId,
    OneOfModel,
    PageCursor,
    PageLimit,
    Timestamp,
    WireModel,
    whole,
)


class ChannelData(WireModel):
    """Which channel."""

    channel: ChannelId


class ChannelFollow(CommandEnvelope):
    """Follow a channel: what is posted there arrives from then on."""

    type: Literal["wa.channel.follow.v1"] = "wa.channel.follow.v1"
    data: ChannelData


class ChannelUnfollow(CommandEnvelope):
    """Follow a channel no longer."""

    type: Literal["wa.channel.unfollow.v1"] = "wa.channel.unfollow.v1"
    data: ChannelData


class ChannelMute(CommandEnvelope):
    """Have the account's phone show no notifications of a channel.

    What is posted there is told all the same.
    """

    type: Literal["wa.channel.mute.v1"] = "wa.channel.mute.v1"
    data: ChannelData


class ChannelUnmute(CommandEnvelope):
    """Take `channel.mute` back."""

    type: Literal["wa.channel.unmute.v1"] = "wa.channel.unmute.v1"
    data: ChannelData


class ChannelInfoData(OneOfModel):
    """Which channel: by its id, or by the code of its invitation."""

    one_of = ("channel", "invite")

    channel: ChannelId | None = None
    invite: Annotated[str, Field(pattern=CHANNEL_INVITE_PATTERN)] | None = Field(
        None, description="The last part of the link `https://whatsapp.com/channel/…`."
    )


class ChannelInfo(CommandEnvelope):
    """Ask about a channel, followed or not."""

    type: Literal["wa.channel.info.v1"] = "wa.channel.info.v1"
    data: ChannelInfoData


class ChannelListData(WireModel):
    """Which page."""

    limit: PageLimit = 50
    cursor: PageCursor | None = None


class ChannelList(CommandEnvelope):
    """Ask which channels the account follows or has."""

    type: Literal["wa.channel.list.v1"] = "wa.channel.list.v1"
    data: ChannelListData = ChannelListData()


class ChannelMarkReadData(ChannelData):
    """Which posts."""

    message_ids: Annotated[tuple[MessageId, ...], FailFast()] = Field(min_length=1, max_length=100)


class ChannelMarkRead(CommandEnvelope):
    """Mark posts as read on the account's devices.

    The library does not wait for an answer. It does not count as a view of theirs.
    """

    type: Literal["wa.channel.mark_read.v1"] = "wa.channel.mark_read.v1"
    data: ChannelMarkReadData


class ChannelReactData(ChannelData):
    """Which post, and how."""

    server_id: Annotated[int, Field(ge=1, le=2_147_483_647), BeforeValidator(whole)] = Field(
        description="The post's number in the channel, which its `message.received` has."
    )
    emoji: Annotated[FreeText, Field(max_length=32), PERSONAL] = Field(
        description="An empty one takes the reaction back."
    )


class ChannelReact(CommandEnvelope):
    """React to a post. WhatsApp's answer to that does not come through the library."""

    type: Literal["wa.channel.react.v1"] = "wa.channel.react.v1"
    data: ChannelReactData


class ChannelRole(StrEnum):
    """What the account is in a channel."""

    GUEST = "guest"
    SUBSCRIBER = "subscriber"
    ADMIN = "admin"
    OWNER = "owner"


class ChannelState(StrEnum):
    """Whether a channel can be read."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    GEOSUSPENDED = "geosuspended"
    """It cannot in some countries."""


class ChannelDetails(WireModel):
    """A channel, as WhatsApp describes it."""

    channel: Jid
    name: Annotated[str, PERSONAL]
    description: Annotated[str, PERSONAL] = Field(
        "", description="At most 2,048 characters of it; none in `channel.list`."
    )
    invite: str | None = Field(None, description="The code that follows a link's last slash.")
    subscribers: Annotated[int, Field(ge=0)] = 0
    verified: bool = False
    state: ChannelState | None = None
    role: ChannelRole | None = None
    muted: bool | None = None
    created_at: Timestamp | None = None


class ChannelFound(ChannelDetails):
    """The channel that was asked about."""

    kind: Literal["channel"] = "channel"


class ChannelsListed(WireModel):
    """A page of channels, by their ids."""

    kind: Literal["channels"] = "channels"
    channels: tuple[ChannelDetails, ...]
    next_cursor: PageCursor | None = Field(
        None, description="What brings the next page; absent on the last one."
    )


ChannelCommand = (
    ChannelFollow
    | ChannelUnfollow
    | ChannelMute
    | ChannelUnmute
    | ChannelInfo
    | ChannelList
    | ChannelMarkRead
    | ChannelReact
)
"""Every command of this family."""

ChannelResult = ChannelFound | ChannelsListed
"""What they return."""
