"""A worker is away for a while: what happens meanwhile is told when it is back."""

from gateway_contracts import (
    MessageReceipt,
    MessageReceived,
    ReceiptStatus,
    SessionState,
    StatusReason,
    TextContent,
)
from tests.e2e.harness import Gateway


async def test_messages_of_the_time_away_arrive_after_the_reconnect(
    gateway: Gateway, name: str
) -> None:
    """WhatsApp keeps them; they are announced once, in order."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    await gateway.worker.stop()
    after = len(gateway.backend.arrivals)

    for number in range(5):
        await ada.send_text(shop.number, f"{number}")
    await gateway.worker.start()
    await gateway.until(name, SessionState.CONNECTED, after=after)
    await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.content == TextContent(text="4")
    )

    texts = [
        event.data.content
        for event in gateway.backend.events_of(name)
        if isinstance(event, MessageReceived)
    ]
    assert texts == [TextContent(text=f"{number}") for number in range(5)]


async def test_a_receipt_after_a_restart_still_names_its_command(
    gateway: Gateway, name: str
) -> None:
    """The link from message to command is in the database, not only in memory."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    command = gateway.text(name, ada.number, "Hello")
    await gateway.succeed(command)
    message = await ada.next_message(timeout=30)

    await gateway.worker.stop()
    await gateway.worker.start()
    await ada.read(message)
    read = await gateway.backend.expect(
        MessageReceipt, name, lambda event: event.data.status is ReceiptStatus.READ
    )

    assert read.correlationid == command.id


async def test_unlinked_while_away(gateway: Gateway, name: str) -> None:
    """The login is refused after the restart: logged out, not an endless retry."""
    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    await gateway.worker.stop()
    after = len(gateway.backend.arrivals)

    phone.unlink(phone.companions[0])
    await gateway.worker.start()

    event = await gateway.until(name, SessionState.LOGGED_OUT, after=after)
    assert event.data.reason is StatusReason.LOGGED_OUT_FROM_PHONE
