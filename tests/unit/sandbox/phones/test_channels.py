"""Phones in channels."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.phones.errors import NotDeliveredError
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.service import Service

SHOP, ADA = "4915550001", "4915550002"


async def test_a_follower_reads_posts_and_their_changes() -> None:
    """In the channel's own name; a change names the post."""
    service = Service()
    async with (
        Phone.open(service=service, number=SHOP) as shop,
        Phone.open(service=service, number=ADA) as ada,
    ):
        channel = shop.open_channel([ADA])
        post_id = await shop.post(channel, "news")
        await shop.edit_post(channel, post_id, "better news")
        await shop.delete_post(channel, post_id)

        got = [await ada.next_message(timeout=30) for _ in range(3)]

    assert [(one.kind, one.text, one.target_id) for one in got] == [
        ("text", "news", None),
        ("edit", "better news", post_id),
        ("revoke", "", post_id),
    ]
    assert {one.chat for one in got} == {channel}


async def test_who_does_not_own_it_cannot_post() -> None:
    """The service says no."""
    service = Service()
    async with (
        Phone.open(service=service, number=SHOP) as shop,
        Phone.open(service=service, number=ADA) as ada,
    ):
        channel = shop.open_channel([ADA])
        with pytest.raises(NotDeliveredError):
            await ada.post(channel, "me too")
