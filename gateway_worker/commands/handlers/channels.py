"""What one may do with WhatsApp's channels, but for posting, which is a message."""

from collections.abc import Awaitable, Callable
from typing import Any

from gateway_contracts import (
    ChannelDetails,
    ChannelFollow,
    ChannelFound,
    ChannelInfo,
    ChannelList,
    ChannelMarkRead,
    ChannelMute,
    ChannelReact,
    ChannelRole,
    ChannelsListed,
    ChannelState,
    ChannelUnfollow,
    ChannelUnmute,
    CommandEnvelope,
    Done,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.methods.channels import (
    Channel,
    DescribeChannel,
    FollowChannel,
    ListChannels,
    MuteChannel,
    ReactInChannel,
    ReadChannel,
)
from gateway_worker.host_protocol.methods.method import Method, R
from gateway_worker.host_protocol.times import moment
from gateway_worker.runtime import cursors
from gateway_worker.sessions.chats import is_channel
from gateway_worker.sessions.session.session import Session


async def follow(context: Context, command: ChannelFollow | ChannelUnfollow) -> Effect:
    """Follow a channel, or no longer."""
    call = FollowChannel(channel=command.data.channel, follows=isinstance(command, ChannelFollow))
    session, _ = await _asked(context, command, call)
    return Effect(result=Done(), session=session)


async def mute(context: Context, command: ChannelMute | ChannelUnmute) -> Effect:
    """Mute a channel, or no longer."""
    call = MuteChannel(channel=command.data.channel, mutes=isinstance(command, ChannelMute))
    session, _ = await _asked(context, command, call)
    return Effect(result=Done(), session=session)


async def info(context: Context, command: ChannelInfo) -> Effect:
    """Ask about a channel."""
    call = DescribeChannel(channel=command.data.channel, invite=command.data.invite)
    session, found = await _asked(context, command, call)
    return Effect(
        result=ChannelFound(**_told(found.channel).model_dump()),
        session=session,
    )


async def list_followed(context: Context, command: ChannelList) -> Effect:
    """Ask which channels the account follows.

    Raises:
        InvalidCommandError: The cursor is none.
        GatewayError: As the session says.
    """
    after = cursors.name_in(command.data.cursor)
    if after and not is_channel(after):
        raise InvalidCommandError("no list of channels goes on there", pointer="/data/cursor")
    call = ListChannels(after=after, limit=command.data.limit)
    session, found = await _asked(context, command, call)
    last = cursors.encode((found.channels[-1].channel,)) if found.more else None
    return Effect(
        result=ChannelsListed(channels=tuple(map(_told, found.channels)), next_cursor=last),
        session=session,
    )


async def mark_read(context: Context, command: ChannelMarkRead) -> Effect:
    """Mark posts as read on the account's devices."""
    data = command.data
    call = ReadChannel(channel=data.channel, message_ids=tuple(dict.fromkeys(data.message_ids)))
    session, _ = await _asked(context, command, call)
    return Effect(result=Done(), session=session)


async def react(context: Context, command: ChannelReact) -> Effect:
    """React to a post; a run that was interrupted reacts again, which changes nothing."""
    data = command.data
    call = ReactInChannel(channel=data.channel, server_id=data.server_id, emoji=data.emoji)
    session, _ = await _asked(context, command, call)
    return Effect(result=Done(), session=session)


async def _asked(context: Context, command: CommandEnvelope, call: Method[R]) -> tuple[Session, R]:
    session = await context.manager.find(command.subject)
    answer = await session.request(call, command_id=command.id, seconds=context.seconds_left())
    return session, answer


def _told(channel: Channel) -> ChannelDetails:
    return ChannelDetails(
        channel=channel.channel,
        name=channel.name,
        description=channel.description,
        invite=channel.invite,
        subscribers=channel.subscribers,
        verified=channel.verified,
        state=None if channel.state is None else ChannelState(channel.state),
        role=None if channel.role is None else ChannelRole(channel.role),
        muted=channel.muted,
        created_at=moment(channel.created),
    )


def _asking(run: Callable[[Context, Any], Awaitable[Effect]]) -> Handler:
    return Handler(run=run, lane=Lane.QUERIES, needs=Needs.CONNECTION)


HANDLERS: dict[str, Handler] = {
    "wa.channel.follow.v1": _asking(follow),
    "wa.channel.unfollow.v1": _asking(follow),
    "wa.channel.mute.v1": _asking(mute),
    "wa.channel.unmute.v1": _asking(mute),
    "wa.channel.info.v1": _asking(info),
    "wa.channel.list.v1": _asking(list_followed),
    "wa.channel.mark_read.v1": _asking(mark_read),
    "wa.channel.react.v1": _asking(react),
}
