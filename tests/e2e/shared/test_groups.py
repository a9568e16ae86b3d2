"""A backend writes to a group and hears from its members."""

from functools import partial

from gateway_contracts import MessageReceipt, MessageReceived, ReceiptStatus
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import Gateway


def is_read_by(phone: Phone, event: MessageReceipt) -> bool:
    """Tell whether a receipt says that somebody has read."""
    data = event.data
    is_its = data.participant.phone_number == f"+{phone.number}"
    return is_its and data.status is ReceiptStatus.READ


async def test_a_conversation_in_a_group(gateway: Gateway, name: str) -> None:
    """All members read what the backend sends; it is told who read it, and what one answers."""
    shop = await gateway.sandbox.add_phone()
    ada, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    group = str(ada.groups.create("Club", [shop.number, ben.number]).jid)

    sent = await gateway.succeed(gateway.text(name, group, "Hello all"))

    assert sent.chat == group
    for phone in (ada, ben):
        message = await phone.next_message(timeout=10)
        assert (message.message_id, message.text) == (sent.message_id, "Hello all")
        assert str(message.chat) == group
        await phone.read(message)
        read = await gateway.backend.expect(MessageReceipt, name, partial(is_read_by, phone))
        assert (read.data.message_id, read.data.chat) == (sent.message_id, group)

    answer = await ben.send_text(group, "Hello shop", reply_to=sent.message_id)
    received = await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == answer
    )

    assert (received.data.chat, received.data.is_group) == (group, True)
    assert received.data.sender.phone_number == f"+{ben.number}"
    assert received.data.reply_to is not None
    assert received.data.reply_to.message_id == sent.message_id
