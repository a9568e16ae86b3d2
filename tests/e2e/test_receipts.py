"""A backend learns what became of its messages."""

from gateway_contracts import MessageReceipt, ReceiptStatus
from tests.e2e.harness import ADA, SHOP, Gateway


async def test_delivered_and_read_name_the_command_that_sent(gateway: Gateway) -> None:
    """Receipts carry the command's id as `correlationid`."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    command = gateway.text("shop", ADA, "Hello")
    sent = await gateway.succeed(command)

    message = await ada.next_message(timeout=10)
    await ada.read(message)
    read = await gateway.backend.expect(
        MessageReceipt, "shop", lambda event: event.data.status is ReceiptStatus.READ
    )

    receipts = [
        event for event in gateway.backend.events_of("shop") if isinstance(event, MessageReceipt)
    ]
    assert [event.data.status for event in receipts] == [
        ReceiptStatus.DELIVERED,
        ReceiptStatus.READ,
    ]
    assert {event.correlationid for event in receipts} == {command.id}
    assert {event.data.message_id for event in receipts} == {sent.message_id}
    assert read.data.participant.phone_number == f"+{ADA}"


async def test_a_receipt_after_a_restart_still_names_its_command(gateway: Gateway) -> None:
    """The link from message to command is in the database, not only in memory."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    command = gateway.text("shop", ADA, "Hello")
    await gateway.succeed(command)
    message = await ada.next_message(timeout=10)

    await gateway.worker.stop()
    await gateway.worker.start()
    await ada.read(message)
    read = await gateway.backend.expect(
        MessageReceipt, "shop", lambda event: event.data.status is ReceiptStatus.READ
    )

    assert read.correlationid == command.id
