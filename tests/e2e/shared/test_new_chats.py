"""WhatsApp lets an account begin no new chats for a while."""

from gateway_contracts import MessageReceived
from gateway_contracts.errors import ErrorCategory
from gateway_worker.sandbox.service.faults import Faults
from tests.e2e.harness import ErrorCode, Gateway


async def test_after_a_refusal_only_known_chats_go_on(gateway: Gateway, name: str) -> None:
    """WhatsApp, which counts each attempt, is asked for no other new one."""
    shop = await gateway.sandbox.add_phone()
    ada, ben, cara = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, shop)
    await ada.send_text(shop.number, "Are you open?")
    await gateway.backend.expect(MessageReceived, name)

    gateway.sandbox.faults.set(shop.number, Faults(error_acks=1, ack_error=463))
    refused = await gateway.fail(gateway.text(name, ben.number, "Hello Ben"))
    held = await gateway.fail(gateway.text(name, cara.number, "Hello Cara"))
    await gateway.send(name, ada.number, "Yes")

    codes = [event.data.error.code for event in (refused, held)]
    waits = [event.data.error.retry_after_ms or 0 for event in (refused, held)]
    assert codes == [ErrorCode.REACHOUT_RESTRICTED] * 2
    assert refused.data.error.category is ErrorCategory.ACCOUNT
    assert waits[0] == 900_000
    assert 0 < waits[1] <= 900_000
    assert (await ada.next_message(timeout=30)).text == "Yes"
    assert (len(ben.inbox), len(cara.inbox)) == (0, 0)
