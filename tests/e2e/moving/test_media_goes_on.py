"""A worker dies while it fetches a file: whoever has the session then brings it."""

import os

import aiohttp

from gateway_contracts import MediaReady, MessageReceived
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.service.fault_rules import Point, Rule, Slow, Who
from tests.e2e.fleet import Fleet
from tests.support.eventually import eventually

FILE = os.urandom(7 * 1024 * 1024)


async def test_a_worker_is_killed_in_the_middle_of_a_file(fleet: Fleet, name: str) -> None:
    """Nothing of the file shows before all of it is there, and it is told once."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)
    slow = Rule(
        id="slow",
        point=Point.MEDIA_GET,
        who=Who(number=ada.number),
        effect=Slow(bytes_per_second=3_000_000),
        times=1,
    )
    fleet.sandbox.faults.add(slow)
    await ada.send_media(shop.number, MediaDraft(kind=MediaKind.DOCUMENT, data=FILE))
    await fleet.backend.expect(MessageReceived, name, after=after)
    await eventually(
        lambda: (found := fleet.sandbox.faults.find("slow")) and found.applied,
        reason="it is being fetched",
    )

    await fleet.workers[home].kill()
    ready = await fleet.backend.expect(MediaReady, name, after=after, seconds=60)

    assert ready.source == f"/workers/{fleet.other(home)}"
    assert ready.data.media.url is not None
    async with aiohttp.ClientSession() as client, client.get(ready.data.media.url) as answer:
        assert await answer.read() == FILE
    told = [
        one.event
        for one in fleet.backend.arrivals
        if isinstance(one.event, MediaReady) and one.event.subject == name
    ]
    assert {event.id for event in told} == {ready.id}
    fleet.assert_whole(name, after=after)
