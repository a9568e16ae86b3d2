"""Text through the local server: the real library on one side or on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.service.faults import Faults
from tests.integration.sandbox.wire_support import (
    ANN,
    LibraryClient,
    World,
)
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


async def test_text_to_a_customer_and_back(world: World, client: LibraryClient) -> None:
    """A message is delivered, read and answered; the own phone sees it too."""
    message_id = await client.call("send", to=world.bob.number, text="hello")
    got = await world.bob.inbox.next(timeout=30)

    assert (got.text, got.message_id, got.sender) == ("hello", message_id, world.device)
    await client.event("receipt", ids=[message_id], type=1, sender=f"{world.bob.jid}")
    await world.bob.read(got)
    await client.event("receipt", ids=[message_id], type=4)
    await world.ann.own_messages.wait_for(
        lambda copy: copy.message_id == message_id and copy.text == "hello", timeout=10
    )

    answer_id = await world.bob.send_text(ANN, "and back", reply_to=got)
    answer = await client.event("message", id=answer_id)

    assert answer["text"] == "and back"
    assert answer["sender_alt"] == f"{world.bob.number}@s.whatsapp.net"
    assert answer["name"] == "Bob"
    await world.bob.receipts.wait_for(
        lambda seen: seen.sender == world.device and answer_id in seen.message_ids, timeout=10
    )
    await client.call("read", chat=answer["chat"], ids=[answer_id])
    await world.bob.receipts.wait_for(lambda seen: seen.kind is ReceiptKind.READ, timeout=30)


async def test_a_message_written_on_the_phone_reaches_the_companion(
    world: World, client: LibraryClient
) -> None:
    """The companion sees what its own phone writes, as its own."""
    message_id = await world.ann.send_text(world.bob.number, "from the phone")
    event = await client.event("message", id=message_id)

    assert (event["from_me"], event["text"]) == (True, "from the phone")


async def test_two_library_clients_talk(
    world: World, client: LibraryClient, tmp_path: Path
) -> None:
    """Both ends are the real library; the second was paired after the first had looked it up."""
    await client.call("send", to=world.bob.number, text="to the phone only")
    other = world.client(tmp_path / "bob.db")
    async with other.run():
        await other.pair(world.bob)
        message_id = await client.call("send", to=world.bob.number, text="to all of Bob's devices")

        assert (await other.event("message", id=message_id))["text"] == "to all of Bob's devices"
        for number in range(20):
            await other.call("send", to=ANN, text=f"answer {number}")
        for number in range(20):
            assert (await client.event("message"))["text"] == f"answer {number}"


async def test_what_comes_meanwhile_waits_in_order(world: World, client: LibraryClient) -> None:
    """Messages for a companion that is off come at its next login, once and in order."""
    await client.stop()
    await eventually(lambda: not world.link().online)
    for number in range(30):
        await world.bob.send_text(ANN, f"text {number}")
    assert world.link().pending == 30

    await client.start(resume=True)
    await client.connected()
    texts = [(await client.event("message"))["text"] for _ in range(30)]

    assert texts == [f"text {number}" for number in range(30)]
    await client.event("offline_done")
    await eventually(lambda: world.link().pending == 0)


async def test_an_unknown_number(world: World, client: LibraryClient) -> None:
    """A number that nobody has cannot be written to; asking says so."""
    with pytest.raises(RuntimeError, match="no LID found"):
        await client.call("send", to="4999999999", text="anybody?")

    found = await client.call("lookup", numbers=["4999999999", world.bob.number])

    assert [is_in for _, is_in in found] == [False, True]


async def test_a_hidden_number_is_unknown(world: World, client: LibraryClient) -> None:
    """A fault makes an existing account look like nobody."""
    world.service.faults.set(world.bob.number, Faults(unregistered=True))
    with pytest.raises(RuntimeError, match="no LID found"):
        await client.call("send", to=world.bob.number, text="anybody?")

    world.service.faults.set(world.bob.number, Faults())
    await client.call("send", to=world.bob.number, text="now")
    assert (await world.bob.inbox.next(timeout=30)).text == "now"


async def test_blocked(world: World, client: LibraryClient) -> None:
    """A blocked sender gets an ack and nothing else; the block can be undone."""
    world.bob.block(ANN)
    await client.call("send", to=world.bob.number, text="not heard")
    world.bob.unblock(ANN)
    await client.call("send", to=world.bob.number, text="heard")

    assert (await world.bob.inbox.next(timeout=30)).text == "heard"
    await client.event("receipt", type=1, sender=f"{world.bob.jid}")
    assert not [event for event in client.seen("receipt") if event["sender"] == f"{world.bob.jid}"]


async def test_prekeys_are_refilled_after_a_notice(world: World, client: LibraryClient) -> None:
    """When fewer than five one-time keys are left, the client is told and uploads more."""
    await eventually(lambda: world.link().prekeys > 0)
    while world.link().prekeys > 4:
        world.service.keys.fetch([world.device])
    await eventually(lambda: world.link().prekeys > 50)


async def test_a_damaged_message_is_asked_for_again(world: World, client: LibraryClient) -> None:
    """Both directions: a retry receipt goes back to the sender, who seals the message anew."""
    await client.call("send", to=world.bob.number, text="first")
    await world.bob.send_text(ANN, "second")
    await client.event("message", text="second")

    world.service.faults.set(world.ann.number, Faults(garbled=1))
    to_client = await world.bob.send_text(ANN, "damaged on the way to the client")
    await client.event("undecryptable", id=to_client)
    assert (await client.event("message", id=to_client))["text"].startswith("damaged")

    world.service.faults.set(world.bob.number, Faults(garbled=1), device=0)
    to_phone = await client.call(
        "send", to=world.bob.number, text="damaged on the way to the phone"
    )
    got = await world.bob.inbox.wait_for(lambda one: one.message_id == to_phone, timeout=30)
    assert got.text.startswith("damaged")
