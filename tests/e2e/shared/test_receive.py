"""Customers write to a session."""

from gateway_contracts import MessageReceived, MessageSent, TextContent
from tests.e2e.harness import Gateway


async def test_a_message_is_announced_with_sender_and_text(gateway: Gateway, name: str) -> None:
    """The event names the sender by number and name."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone(push_name="Ada")
    await gateway.link(name, shop)

    message_id = await ada.send_text(shop.number, "Are you open?")
    event = await gateway.backend.expect(MessageReceived, name)

    assert event.data.message_id == message_id
    assert event.data.content == TextContent(text="Are you open?")
    assert event.data.sender.phone_number == f"+{ada.number}"
    assert event.data.sender.push_name == "Ada"
    assert event.data.chat == f"{ada.number}@s.whatsapp.net"
    assert event.data.is_group is False


async def test_messages_keep_their_order(gateway: Gateway, name: str) -> None:
    """A hundred in a row come in a row, with gapless sequence numbers."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)

    for number in range(100):
        await ada.send_text(shop.number, f"{number}")
    await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.content == TextContent(text="99")
    )

    events = [
        event for event in gateway.backend.events_of(name) if isinstance(event, MessageReceived)
    ]
    assert [event.data.content for event in events] == [
        TextContent(text=f"{n}") for n in range(100)
    ]
    numbers = [int(event.sequence or 0) for event in gateway.backend.events_of(name)]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_the_owner_writes_on_the_phone_is_announced_as_sent(
    gateway: Gateway, name: str
) -> None:
    """The account's own phone writes: `message.sent`, not `message.received`."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)

    message_id = await shop.send_text(ada.number, "from the counter")
    event = await gateway.backend.expect(MessageSent, name)

    assert event.data.message_id == message_id
    assert event.data.chat == f"{ada.number}@s.whatsapp.net"
    assert event.data.content == TextContent(text="from the counter")
