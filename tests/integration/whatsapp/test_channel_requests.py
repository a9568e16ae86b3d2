"""What one may ask and do about channels, with the real library."""

from typing import Any

import pytest

from gateway_worker.errors import GatewayError, RateLimitedError, UpstreamRejectedError
from gateway_worker.host_protocol.methods.channels import (
    Channel,
    DescribeChannel,
    FollowChannel,
    ListChannels,
    MuteChannel,
    ReactInChannel,
    ReadChannel,
)
from gateway_worker.host_protocol.methods.method import Done, Method
from gateway_worker.sandbox.service.fault_rules import Error, Match, Point, Rule, Who
from gateway_worker.sandbox.wire.jid import Jid
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundMessage
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

NOWHERE = "120363999999999999@newsletter"


async def described(account: Account, channel: Jid) -> Channel:
    """Return what is told of a channel."""
    answer = await account.host.request(DescribeChannel(channel=str(channel)))
    return answer.channel


async def test_a_channel_is_described_and_followed(stage: Stage, shop: Account) -> None:
    """By its id and by its invitation; what the account is in it follows from what it does."""
    ben = await stage.customer()
    channel = ben.open_channel(name="Ben's news", description="all of it")
    service = stage.sandbox.service.channels.find(channel)
    assert service is not None

    stranger = await described(shop, channel)
    assert (stranger.channel, stranger.name) == (str(channel), "Ben's news")
    assert (stranger.description, stranger.invite) == ("all of it", service.invite)
    assert (stranger.role, stranger.muted, stranger.state) == ("guest", False, "active")
    assert (stranger.subscribers, stranger.verified) == (0, False)
    assert stranger.created > 0
    invited = await shop.host.request(DescribeChannel(invite=service.invite))
    assert invited.channel == stranger

    assert await shop.host.request(FollowChannel(channel=str(channel), follows=True)) == Done()
    await shop.host.request(MuteChannel(channel=str(channel), mutes=True))
    follower = await described(shop, channel)
    assert (follower.role, follower.muted, follower.subscribers) == ("subscriber", True, 1)

    await shop.host.request(MuteChannel(channel=str(channel), mutes=False))
    await shop.host.request(FollowChannel(channel=str(channel), follows=False))
    assert await described(shop, channel) == stranger


async def test_what_is_followed_is_told_page_by_page(stage: Stage) -> None:
    """In the order of the ids, whichever were followed first."""
    account, ben = await stage.linked(), await stage.customer()
    channels = [ben.open_channel([account.phone.number]) for _ in range(3)]
    own = account.phone.open_channel(name="own")

    first = await account.host.request(ListChannels(limit=3))
    assert [one.channel for one in first.channels] == [str(one) for one in channels]
    assert first.more
    rest = await account.host.request(ListChannels(after=first.channels[-1].channel, limit=3))
    assert [(one.channel, one.role) for one in rest.channels] == [(str(own), "owner")]
    assert not rest.more


async def test_a_post_is_read_and_reacted_to(stage: Stage, shop: Account) -> None:
    """The service has both, for this account."""
    ben = await stage.customer()
    channel = ben.open_channel([shop.phone.number])
    service = stage.sandbox.service.channels.find(channel)
    assert service is not None
    posts = [await ben.post(channel, text) for text in ("one", "two")]
    await shop.next(InboundMessage, lambda one: one.message_id == posts[1])
    number, account = service.posts[posts[0]], shop.phone.jid

    await shop.host.request(ReadChannel(channel=str(channel), message_ids=tuple(posts)))
    await eventually(lambda: service.read.get(account) == set(posts))
    react = ReactInChannel(channel=str(channel), server_id=number, emoji="👍")
    await shop.host.request(react)
    await eventually(lambda: service.reactions == {(number, account): "👍"})
    await shop.host.request(ReactInChannel(channel=str(channel), server_id=number, emoji=""))
    await eventually(lambda: service.reactions == {})


@pytest.mark.parametrize("code", [429, 500, 404])
async def test_what_whatsapp_refuses(stage: Stage, shop: Account, code: int) -> None:
    """The status decides: whether it is to be tried again, and when."""
    rule = Rule(
        id=f"mex-{code}",
        point=Point.IQ,
        who=Who(number=shop.phone.number),
        match=Match(query="w:mex/query"),
        effect=Error(code=code),
        times=1,
    )
    stage.sandbox.service.faults.add(rule)
    try:
        with pytest.raises(GatewayError) as caught:
            await shop.host.request(FollowChannel(channel=NOWHERE, follows=True))
    finally:
        stage.sandbox.service.faults.remove(rule.id)
    assert isinstance(caught.value, RateLimitedError) is (code == 429)
    assert isinstance(caught.value, UpstreamRejectedError) is (code == 404)


@pytest.mark.parametrize(
    "call",
    [
        FollowChannel(channel=NOWHERE, follows=True),
        FollowChannel(channel=NOWHERE, follows=False),
        MuteChannel(channel=NOWHERE, mutes=True),
        DescribeChannel(channel=NOWHERE),
        DescribeChannel(invite="unknown"),
    ],
    ids=lambda call: type(call).__name__,
)
async def test_a_channel_that_is_none(shop: Account, call: Method[Any]) -> None:
    """It is refused for good."""
    with pytest.raises(UpstreamRejectedError):
        await shop.host.request(call)
