"""What a backend does with WhatsApp's channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway_contracts import (
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
    Done,
    ErrorCode,
    MessageReceived,
)
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from gateway_contracts import CommandEnvelope
    from tests.e2e.harness import Gateway


async def test_a_channel_from_end_to_end(gateway: Gateway, name: str) -> None:
    """It is looked up, followed, read, reacted to, muted and left; one that is none is refused."""

    def asked(kind: type[CommandEnvelope], **data: Any) -> CommandEnvelope:
        envelope = {"source": gateway.backend.source, "subject": name, "data": data}
        return kind.model_validate({**envelope, "type": kind.model_fields["type"].default})

    shop, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    channel = ben.open_channel(name="Ben's news", description="all of it")
    service = gateway.sandbox.service.channels.find(channel)
    assert service is not None
    here = {"channel": str(channel)}

    found = await gateway.succeed(asked(ChannelInfo, invite=service.invite))
    assert isinstance(found, ChannelFound)
    assert (found.channel, found.name, found.role) == (
        str(channel),
        "Ben's news",
        ChannelRole.GUEST,
    )
    assert (found.state, found.description) == (ChannelState.ACTIVE, "all of it")
    assert await gateway.succeed(asked(ChannelFollow, **here)) == Done()
    listed = await gateway.succeed(asked(ChannelList))
    assert isinstance(listed, ChannelsListed)
    assert [(one.channel, one.role) for one in listed.channels] == [
        (str(channel), ChannelRole.SUBSCRIBER)
    ]
    assert listed.next_cursor is None

    post_id = await ben.post(channel, "news")
    posted = await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == post_id
    )
    number = posted.data.server_id
    assert number == service.posts[post_id]
    await gateway.succeed(asked(ChannelMarkRead, **here, message_ids=[post_id]))
    await gateway.succeed(asked(ChannelReact, **here, server_id=number, emoji="👍"))
    await eventually(lambda: service.reactions == {(number, shop.jid): "👍"})
    await eventually(lambda: service.read == {shop.jid: {post_id}})

    await gateway.succeed(asked(ChannelMute, **here))
    assert service.muted == {shop.jid}
    await gateway.succeed(asked(ChannelUnmute, **here))
    await gateway.succeed(asked(ChannelUnfollow, **here))
    assert (service.muted, service.followers) == (set(), set())
    refused = await gateway.fail(asked(ChannelFollow, channel="120363999999999999@newsletter"))
    assert refused.data.error.code is ErrorCode.UPSTREAM_REJECTED
