"""A backend learns what became of its messages."""

import asyncio
from functools import partial

from gateway_contracts import CommandSucceeded, MessageReceipt, MessageReceived, ReceiptStatus
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.e2e.harness import Gateway


async def test_delivered_and_read_name_the_command_that_sent(gateway: Gateway, name: str) -> None:
    """Receipts carry the command's id as `correlationid`, and the backend's name of the message."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    command = gateway.text(name, ada.number, "Hello", client_ref="order-4711")
    sent = await gateway.succeed(command)

    message = await ada.next_message(timeout=30)
    await ada.read(message)
    read = await gateway.backend.expect(
        MessageReceipt, name, lambda event: event.data.status is ReceiptStatus.READ
    )

    receipts = [
        event for event in gateway.backend.events_of(name) if isinstance(event, MessageReceipt)
    ]
    assert [event.data.status for event in receipts] == [
        ReceiptStatus.DELIVERED,
        ReceiptStatus.READ,
    ]
    assert {event.correlationid for event in receipts} == {command.id}
    assert {event.data.client_ref for event in receipts} == {"order-4711"}
    outcome = await gateway.backend.outcome(command.id)
    assert isinstance(outcome, CommandSucceeded)
    assert outcome.data.client_ref == "order-4711"
    assert outcome.data.chat_id == sent.chat
    assert {event.data.chat_id for event in receipts} == {sent.chat}
    assert {event.data.chat_lid for event in receipts} == {sent.chat_lid} != {None}
    assert {event.data.message_id for event in receipts} == {sent.message_id}
    assert read.data.participant.phone_number == f"+{ada.number}"


async def test_what_arrives_does_not_wait_for_what_is_sent(gateway: Gateway, name: str) -> None:
    """WhatsApp's answer to a send is late: arrivals are told meanwhile, its receipts behind it."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    ben = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    gateway.sandbox.faults.set(shop.number, Faults(ack_delay_seconds=4))
    command = gateway.text(name, ada.number, "Hello")
    sending = asyncio.create_task(gateway.succeed(command))
    await ada.read(await ada.next_message(timeout=30))
    gateway.sandbox.connections.inject(
        shop.number, read_receipt(ben.jid, [f"3EB0{n}" for n in range(5)])
    )
    after_it = await ben.send_text(shop.number, "Are you open?")

    await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == after_it
    )
    is_under_way = not sending.done()
    sent = await sending
    for last in (sent.message_id, "3EB04"):
        await gateway.backend.expect(MessageReceipt, name, partial(_is_read, last))

    events = gateway.backend.events_of(name)
    about_it = [
        event.data.status if isinstance(event, MessageReceipt) else "succeeded"
        for event in events
        if event.correlationid == command.id
        and isinstance(event, MessageReceipt | CommandSucceeded)
    ]
    others = [
        event.data.message_id
        for event in events
        if isinstance(event, MessageReceipt) and event.correlationid is None
    ]
    assert is_under_way
    assert about_it == ["succeeded", "delivered", "read"]
    assert others == [f"3EB0{n}" for n in range(5)]


def read_receipt(sender: Jid, message_ids: list[str]) -> Node:
    """Return a receipt that names several messages."""
    first, *more = message_ids
    attrs: Attrs = {"from": sender, "id": first, "type": "read", "t": "1790000000"}
    items = tuple(Node("item", {"id": one}) for one in more)
    return Node("receipt", attrs, (Node("list", {}, items),))


def _is_read(message_id: str, event: MessageReceipt) -> bool:
    return (event.data.message_id, event.data.status) == (message_id, ReceiptStatus.READ)
