"""A worker dies while it fetches a file: whoever has the session then brings it."""

import os

import aiohttp

from gateway_contracts import MediaReady, MessageReceived
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.service.fault_rules import Point, Rule, Slow, Who
from tests.e2e.fleet import Fleet
from tests.e2e.harness import ADA, SHOP
from tests.support.eventually import eventually

FILE = os.urandom(7 * 1024 * 1024)


async def test_a_worker_is_killed_in_the_middle_of_a_file(fleet: Fleet) -> None:
    """Nothing of the file shows before all of it is there, and it is told once."""
    shop = await fleet.sandbox.add_phone(SHOP)
    ada = await fleet.sandbox.add_phone(ADA)
    await fleet.link("shop", shop)
    home = fleet.home("shop")
    after = len(fleet.backend.arrivals)
    slow = Rule(
        id="slow",
        point=Point.MEDIA_GET,
        who=Who(number=ADA),
        effect=Slow(bytes_per_second=3_000_000),
        times=1,
    )
    fleet.sandbox.faults.add(slow)
    await ada.send_media(SHOP, MediaDraft(kind=MediaKind.DOCUMENT, data=FILE))
    await fleet.backend.expect(MessageReceived, "shop", after=after)
    await eventually(
        lambda: [rule.applied for rule in fleet.sandbox.faults] == [1], reason="it is being fetched"
    )

    await fleet.workers[home].kill()
    ready = await fleet.backend.expect(MediaReady, "shop", after=after, seconds=60)

    assert ready.source == f"/workers/{fleet.other(home)}"
    assert ready.data.media.url is not None
    async with aiohttp.ClientSession() as client, client.get(ready.data.media.url) as answer:
        assert await answer.read() == FILE
    told = [one.event for one in fleet.backend.arrivals if isinstance(one.event, MediaReady)]
    assert {event.id for event in told} == {ready.id}
    fleet.assert_whole("shop", after=after)
