"""A send that WhatsApp does not answer, though it has it."""

from gateway_contracts import (
    CommandResolved,
    CommandSucceeded,
    Evidence,
    MessageReceipt,
    SentInfo,
)
from gateway_worker.sandbox.service.faults import ALWAYS, Faults
from tests.e2e.harness import ErrorCode, Gateway


async def test_a_receipt_says_what_became_of_it(gateway: Gateway, name: str) -> None:
    """It runs no longer than it may, is uncertain, and resolved when the phone confirms it."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    gateway.sandbox.faults.set(shop.number, Faults(missing_acks=ALWAYS))
    command = gateway.text(name, ada.number, "Hello", client_ref="order-4711").model_copy(
        update={"maxruntimems": 2_000}
    )

    failed = await gateway.fail(command)
    resolved = await gateway.backend.expect(CommandResolved, name)
    receipt = await gateway.backend.expect(MessageReceipt, name)
    gateway.sandbox.faults.clear(shop.number)
    await gateway.backend.publish(command)
    again = await gateway.backend.expect(CommandSucceeded, name, lambda event: event.data.repeated)

    message = await ada.next_message(timeout=30)
    assert failed.data.error.code is ErrorCode.UNCERTAIN
    assert (failed.data.message_id, failed.data.client_ref) == (message.message_id, "order-4711")
    assert isinstance(resolved.data.result, SentInfo)
    assert resolved.data.result.message_id == message.message_id
    assert (resolved.data.evidence, resolved.data.client_ref) == (Evidence.RECEIPT, "order-4711")
    assert resolved.correlationid == receipt.correlationid == command.id
    assert int(receipt.sequence or 0) == int(resolved.sequence or 0) + 1
    assert again.data.result == resolved.data.result
    assert len(ada.inbox) == 1
