"""WhatsApp's channels."""

from typing import Final

from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer, Wire

QUESTION_SECONDS: Final = 20.0
"""How long WhatsApp may take to answer."""


class Channel(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """A channel, with the contract's names for state and role.

    Attributes:
        created: In Unix seconds.
    """

    channel: str
    name: str
    description: str = ""
    invite: str | None = None
    subscribers: int = 0
    verified: bool = False
    state: str | None = None
    role: str | None = None
    muted: bool | None = None
    created: int = 0


class Described(Answer, frozen=True, kw_only=True, tag="channel"):
    """The channel that was asked about."""

    channel: Channel


class Followed(Answer, frozen=True, kw_only=True, tag="channels", omit_defaults=True):
    """Channels that the account follows or has, by their ids.

    Attributes:
        more: Whether there are others after them.
    """

    channels: tuple[Channel, ...]
    more: bool = False


class FollowChannel(Method[Done], frozen=True, kw_only=True, tag="channel.follow"):
    """Follow a channel, or no longer."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    channel: str
    follows: bool


class MuteChannel(Method[Done], frozen=True, kw_only=True, tag="channel.mute"):
    """Mute a channel, or no longer."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    channel: str
    mutes: bool


class DescribeChannel(Method[Described], frozen=True, kw_only=True, tag="channel.info"):
    """Ask about a channel: by its JID, or by the code of its invitation."""

    result = Described
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    channel: str | None = None
    invite: str | None = None


class ListChannels(Method[Followed], frozen=True, kw_only=True, tag="channel.list"):
    """Ask which channels the account follows or has.

    Attributes:
        after: Those after this one, by their ids; "" begins with the first.
        limit: How many at most.
    """

    result = Followed
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    after: str = ""
    limit: int = 50


class ReadChannel(Method[Done], frozen=True, kw_only=True, tag="channel.mark_read"):
    """Mark posts as read on the account's devices; nobody answers."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    channel: str
    message_ids: tuple[str, ...]


class ReactInChannel(Method[Done], frozen=True, kw_only=True, tag="channel.react"):
    """React to a post; nobody answers.

    Attributes:
        server_id: The post's number in the channel.
        emoji: "" takes the reaction back.
    """

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    channel: str
    server_id: int
    emoji: str


ChannelCall = (
    FollowChannel | MuteChannel | DescribeChannel | ListChannels | ReadChannel | ReactInChannel
)
"""Every method of this family."""

ChannelAnswer = Described | Followed
"""What they are answered with."""
