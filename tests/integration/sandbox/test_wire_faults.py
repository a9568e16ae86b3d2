"""Every fault that can be scripted, as the real library sees it."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.phones.errors import NothingHappenedError
from gateway_worker.sandbox.service.faults import Faults, LoginFailure, StreamEnd
from tests.integration.sandbox.wire_support import (
    ANN,
    LibraryClient,
    World,
)
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


async def test_a_dropped_link_comes_back(world: World, client: LibraryClient) -> None:
    """Cut without a word, the client reconnects at once and goes on."""
    assert world.service.connections.drop(world.ann.number, device=world.device.device)
    await client.event("disconnected")
    await client.connected()

    await world.bob.send_text(ANN, "still there?")
    assert (await client.event("message"))["text"] == "still there?"


@pytest.mark.parametrize("end", [StreamEnd.RESTART, StreamEnd.INTERNAL, StreamEnd.UNAVAILABLE])
async def test_a_stream_error_that_means_come_again(
    world: World, client: LibraryClient, end: StreamEnd
) -> None:
    """After 515, 500 and 503 the client logs in again by itself."""
    world.service.connections.end(world.ann.number, end, device=world.device.device)
    await client.connected()

    assert world.link().online


async def test_replaced_by_a_second_login(world: World, client: LibraryClient) -> None:
    """The same session elsewhere ends the first, which stays away."""
    twin = world.client(client.store)
    twin.jid = client.jid
    async with twin.run(resume=True):
        await twin.connected()
        await client.event("replaced")

        assert world.link().online
        await eventually(lambda: world.server.connection_count == 1)


@pytest.mark.parametrize(
    ("reason", "event", "values"),
    [
        (401, "logged_out", {"on_connect": True}),
        (403, "logged_out", {"on_connect": True}),
        (406, "logged_out", {"on_connect": True}),
        (402, "banned", {}),
        (405, "outdated", {}),
        (409, "connect_failure", {}),
    ],
)
async def test_a_refused_login(
    world: World, client: LibraryClient, reason: int, event: str, values: dict[str, object]
) -> None:
    """Each reason reaches the client as its own event."""
    world.service.faults.set(world.ann.number, Faults(login_failure=LoginFailure(reason=reason)))
    world.service.connections.drop(world.ann.number, device=world.device.device)

    await client.event(event, **values)


@pytest.mark.parametrize("reason", [500, 503])
async def test_a_login_refused_for_now(world: World, client: LibraryClient, reason: int) -> None:
    """After 500 and 503 the client tries again until it is let in."""
    before = world.link().logins
    failure = LoginFailure(reason=reason, times=1)
    world.service.faults.set(world.ann.number, Faults(login_failure=failure))
    world.service.connections.drop(world.ann.number, device=world.device.device)

    await client.connected()
    assert world.link().logins == before + 1


async def test_logins_cut_without_an_answer(world: World, client: LibraryClient) -> None:
    """A login that is cut is tried again."""
    world.service.faults.set(world.ann.number, Faults(drop_logins=1))
    world.service.connections.drop(world.ann.number, device=world.device.device)

    await client.connected()


async def test_a_lost_ack_and_a_lost_link_send_once(world: World, client: LibraryClient) -> None:
    """The library sends the same id again after the reconnect; the recipient gets it once."""
    world.service.faults.set(world.ann.number, Faults(missing_acks=1))
    call = await client.start_call("send", to=world.bob.number, text="once")
    await world.bob.inbox.next(timeout=30)
    world.service.connections.drop(world.ann.number, device=world.device.device)
    await client.connected()

    assert await client.result_of(call)
    with pytest.raises(NothingHappenedError):
        await world.bob.inbox.next(timeout=0.3)


async def test_a_delayed_ack_delays_nobody_else(world: World, client: LibraryClient) -> None:
    """The message is relayed at once; only its ack is late, and other stanzas pass it."""
    world.service.faults.set(world.ann.number, Faults(ack_delay_seconds=0.8))
    call = await client.start_call("send", to=world.bob.number, text="slow")
    await world.bob.inbox.next(timeout=30)
    await world.bob.send_text(ANN, "quick")
    await client.event("message", text="quick")

    assert not client.seen("done")
    assert await client.result_of(call)


async def test_an_ack_with_an_error(world: World, client: LibraryClient) -> None:
    """The service refuses a message; the recipient does not get it."""
    world.service.faults.set(world.ann.number, Faults(error_acks=1, ack_error=479))
    with pytest.raises(RuntimeError, match="479"):
        await client.call("send", to=world.bob.number, text="refused")

    await client.call("send", to=world.bob.number, text="taken")
    assert (await world.bob.inbox.next(timeout=30)).text == "taken"


async def test_a_lost_receipt_repeats_the_message_unseen(
    world: World, client: LibraryClient
) -> None:
    """Without its receipt a message comes again; the library swallows and confirms it."""
    world.service.faults.set(world.ann.number, Faults(lost_receipts=1))
    message_id = await world.bob.send_text(ANN, "confirmed late")
    await client.event("message", id=message_id)
    await eventually(lambda: world.service.faults.get(world.ann.number).lost_receipts == 0)
    assert world.link().pending == 1
    world.service.connections.drop(world.ann.number, device=world.device.device)
    await client.connected()

    await eventually(lambda: world.link().pending == 0)
    await world.bob.receipts.wait_for(lambda seen: seen.sender == world.device, timeout=30)
    assert not client.seen("message")


async def test_no_bundle_for_the_phone_of_the_recipient(
    world: World, client: LibraryClient
) -> None:
    """A device without keys is left out; the send succeeds and reaches nobody."""
    world.service.faults.set(world.bob.number, Faults(no_bundles=True), device=0)
    assert await client.call("send", to=world.bob.number, text="into the void")

    with pytest.raises(NothingHappenedError):
        await world.bob.inbox.next(timeout=0.3)


async def test_an_unreachable_server(world: World, client: LibraryClient) -> None:
    """While nothing listens the client keeps trying; it comes back when it can."""
    await world.server.refuse_connections()
    await client.event("disconnected")
    assert not world.link().online
    await world.server.accept_connections()

    await client.connected()


async def test_unanswered_queries(world: World, client: LibraryClient) -> None:
    """A muted device gets no answer to a query and every message."""
    world.service.faults.set(world.ann.number, Faults(no_response=1))
    call = await client.start_call("blocklist")
    await world.bob.send_text(ANN, "speaking")
    await client.event("message", text="speaking")

    assert not [event for event in client.seen("done") if event["n"] == call]
