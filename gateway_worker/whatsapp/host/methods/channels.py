"""WhatsApp's channels: what the account follows, and what there is to know of one."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from neonize.proto.Neonize_pb2 import JID
from neonize.utils.enum import ReceiptType

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods.channels import (
    DescribeChannel,
    Described,
    FollowChannel,
    Followed,
    ListChannels,
    MuteChannel,
    ReactInChannel,
    ReadChannel,
)
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.whatsapp.convert.channel_details import channel_of
from gateway_worker.whatsapp.convert.failures import channel_failure
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools
from gateway_worker.whatsapp.host.sending import SendFailedError

T = TypeVar("T")
_NOBODY: Final = JID(User="", Server="", Device=0, Integrator=0, IsEmpty=True, RawAgent=0)
"""Posts have no writer but the channel."""


def follow(tools: Tools, _request: Request, call: FollowChannel) -> Done:
    """Follow a channel, or no longer."""
    client, channel = tools.library.client, parse_jid(call.channel)
    change = client.follow_newsletter if call.follows else client.unfollow_newsletter
    _ask(lambda: change(channel), "to follow a channel, or no longer")
    return Done()


def mute(tools: Tools, _request: Request, call: MuteChannel) -> Done:
    """Mute a channel, or no longer."""
    client, channel = tools.library.client, parse_jid(call.channel)
    _ask(
        lambda: client.newsletter_toggle_mute(channel, call.mutes),
        "to mute a channel, or no longer",
    )
    return Done()


def describe(tools: Tools, _request: Request, call: DescribeChannel) -> Described:
    """Ask about a channel."""
    client, what = tools.library.client, "the look-up of a channel"
    if call.channel is None:
        invite = call.invite or ""
        found = _ask(lambda: client.get_newsletter_info_with_invite(invite), what)
    else:
        channel = parse_jid(call.channel)
        found = _ask(lambda: client.get_newsletter_info(channel), what)
    return Described(channel=channel_of(found))


def list_followed(tools: Tools, _request: Request, call: ListChannels) -> Followed:
    """Ask which channels the account follows; WhatsApp tells all of them at once."""
    found = _ask(tools.library.client.get_subscribed_newletters, "the look-up of channels")
    channels = sorted(map(channel_of, found), key=lambda one: one.channel)
    later = [one for one in channels if one.channel > call.after]
    told = (msgspec.structs.replace(one, description="") for one in later[: call.limit])
    return Followed(channels=tuple(told), more=len(later) > call.limit)


def mark_read(tools: Tools, _request: Request, call: ReadChannel) -> Done:
    """Mark posts as read; the library makes of it what concerns the account's devices only."""
    client, channel = tools.library.client, parse_jid(call.channel)
    _ask(
        lambda: client.mark_read(
            *call.message_ids,
            chat=channel,
            sender=_NOBODY,
            receipt=ReceiptType.READ,
            timestamp=int(time.time()),
        ),
        "to mark posts as read",
    )
    return Done()


def react(tools: Tools, _request: Request, call: ReactInChannel) -> Done:
    """React to a post; the library chooses the reaction's own id."""
    client, channel = tools.library.client, parse_jid(call.channel)
    _ask(
        lambda: client.newsletter_send_reaction(channel, call.server_id, call.emoji, ""),
        "a reaction",
    )
    return Done()


def _ask(question: Callable[[], T], what: str) -> T:
    """Ask the library something about channels. Raises `SendFailedError`."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        raise SendFailedError(channel_failure(str(error), what)) from None


RUNS: Final[Mapping[type[Any], Run]] = {
    FollowChannel: follow,
    MuteChannel: mute,
    DescribeChannel: describe,
    ListChannels: list_followed,
    ReadChannel: mark_read,
    ReactInChannel: react,
}
