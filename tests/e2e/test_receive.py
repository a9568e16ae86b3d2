"""Customers write to a session."""

from gateway_contracts import MessageReceived, MessageSent, SessionState, TextContent
from tests.e2e.harness import ADA, SHOP, Gateway


async def test_a_message_is_announced_with_sender_and_text(gateway: Gateway) -> None:
    """The event names the sender by number and name."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA, push_name="Ada")
    await gateway.link("shop", shop)

    message_id = await ada.send_text(SHOP, "Are you open?")
    event = await gateway.backend.expect(MessageReceived, "shop")

    assert event.data.message_id == message_id
    assert event.data.content == TextContent(text="Are you open?")
    assert event.data.sender.phone_number == f"+{ADA}"
    assert event.data.sender.push_name == "Ada"
    assert event.data.chat == f"{ADA}@s.whatsapp.net"
    assert event.data.is_group is False


async def test_messages_keep_their_order(gateway: Gateway) -> None:
    """A hundred in a row come in a row, with gapless sequence numbers."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)

    for number in range(100):
        await ada.send_text(SHOP, f"{number}")
    await gateway.backend.expect(
        MessageReceived, "shop", lambda event: event.data.content == TextContent(text="99")
    )

    events = [
        event for event in gateway.backend.events_of("shop") if isinstance(event, MessageReceived)
    ]
    assert [event.data.content for event in events] == [
        TextContent(text=f"{n}") for n in range(100)
    ]
    numbers = [int(event.sequence or 0) for event in gateway.backend.events_of("shop")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_the_owner_writes_on_the_phone_is_announced_as_sent(gateway: Gateway) -> None:
    """The account's own phone writes: `message.sent`, not `message.received`."""
    shop = await gateway.sandbox.add_phone(SHOP)
    await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)

    message_id = await shop.send_text(ADA, "from the counter")
    event = await gateway.backend.expect(MessageSent, "shop")

    assert event.data.message_id == message_id
    assert event.data.chat == f"{ADA}@s.whatsapp.net"
    assert event.data.content == TextContent(text="from the counter")


async def test_messages_of_the_time_away_arrive_after_the_reconnect(gateway: Gateway) -> None:
    """WhatsApp keeps them; they are announced once, in order."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    await gateway.worker.stop()
    after = len(gateway.backend.arrivals)

    for number in range(5):
        await ada.send_text(SHOP, f"{number}")
    await gateway.worker.start()
    await gateway.until("shop", SessionState.CONNECTED, after=after)
    await gateway.backend.expect(
        MessageReceived, "shop", lambda event: event.data.content == TextContent(text="4")
    )

    texts = [
        event.data.content
        for event in gateway.backend.events_of("shop")
        if isinstance(event, MessageReceived)
    ]
    assert texts == [TextContent(text=f"{number}") for number in range(5)]
