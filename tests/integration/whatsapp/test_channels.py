"""Channels: what the real library posts there, and what it tells of what others post."""

from typing import Any

import pytest

from gateway_contracts import EditContent, RevokeContent, TextContent
from gateway_worker.errors import UpstreamRejectedError
from gateway_worker.host_protocol.methods.messages import SendMessage, Sent
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.wire.jid import Jid
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundMessage
from tests.support.calls import send_text

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def changed(shop: Account, channel: Jid, post_id: str, content: dict[str, Any]) -> Sent:
    """Change a post of the account's own."""
    target = {"message_id": post_id, "from_me": True, "kind": "text"}
    call = SendMessage(to=str(channel), content={**content, "target": target})
    return await shop.host.request(call)


async def shown(phone: Phone) -> tuple[str, str, str | None]:
    """Return what a phone shows next: kind, text, and what it is about."""
    message = await phone.next_message(timeout=30)
    return message.kind, message.text, message.target_id


async def test_a_post_and_its_changes(stage: Stage, shop: Account) -> None:
    """Followers read them; a change has the id and the number of the post."""
    ben = await stage.customer()
    channel = shop.phone.open_channel([ben.number])

    sent = await shop.host.request(send_text(str(channel), "news"))
    assert await shown(ben) == ("text", "news", None)
    edited = await changed(shop, channel, sent.message_id, {"kind": "edit", "text": "more news"})
    assert await shown(ben) == ("edit", "more news", sent.message_id)
    deleted = await changed(shop, channel, sent.message_id, {"kind": "revoke"})
    assert await shown(ben) == ("revoke", "", sent.message_id)

    assert sent.chat == str(channel)
    assert {one.message_id for one in (sent, edited, deleted)} == {sent.message_id}
    assert sent.server_id is not None
    assert {one.server_id for one in (sent, edited, deleted)} == {sent.server_id}


async def test_a_channel_of_somebody_else(stage: Stage, shop: Account) -> None:
    """WhatsApp refuses; nobody reads anything."""
    ben = await stage.customer()
    channel = ben.open_channel([shop.phone.number])

    with pytest.raises(UpstreamRejectedError):
        await shop.host.request(send_text(str(channel), "news"))


async def test_what_others_post(stage: Stage, shop: Account) -> None:
    """It is told in the channel's name, and so is what is changed of it."""
    ben = await stage.customer()
    channel = ben.open_channel([shop.phone.number])

    post_id = await ben.post(channel, "news")
    posted = await shop.next(InboundMessage, lambda one: one.chat == str(channel))
    await ben.edit_post(channel, post_id, "more news")
    edited = await shop.next(InboundMessage, lambda one: one.chat == str(channel))

    assert (posted.message_id, posted.content) == (post_id, TextContent(text="news"))
    assert posted.sender.jid == str(channel)
    assert isinstance(edited.content, EditContent)
    assert (edited.content.text, edited.content.target.message_id) == ("more news", post_id)
    assert edited.message_id != post_id


async def test_what_others_delete(stage: Stage, shop: Account) -> None:
    """It is told, although there is nothing in it."""
    ben = await stage.customer()
    channel = ben.open_channel([shop.phone.number])
    post_id = await ben.post(channel, "news")
    await shop.next(InboundMessage, lambda one: one.message_id == post_id)

    await ben.delete_post(channel, post_id)

    deleted = await shop.next(InboundMessage, lambda one: one.chat == str(channel))
    assert isinstance(deleted.content, RevokeContent)
    assert deleted.content.target.message_id == post_id
