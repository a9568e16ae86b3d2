"""Two people write to each other for the first time at once: nothing is lost or doubled."""

import asyncio

from gateway_contracts import MessageReceived
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import Gateway
from tests.support.eventually import eventually
from tests.support.pacing import pace

PEOPLE = 36
STEPS = 12
STEP_SECONDS = 0.002
"""How much later each of so many people writes, so that some meet the send at every point."""


async def write_later(phone: Phone, number: str, seconds: float) -> str:
    """Write to a number after a moment."""
    await pace(seconds)
    return await phone.send_text(number, "from a customer")


async def test_a_first_contact_of_both_sides_at_once(gateway: Gateway, name: str) -> None:
    """Every message of both arrives, whatever state of their keys the library stores last."""
    shop = await gateway.sandbox.add_phone()
    people = [await gateway.sandbox.add_phone(push_name="Ben") for _ in range(PEOPLE)]
    await gateway.link(name, shop)

    written = []
    for place, phone in enumerate(people):
        _, message_id = await asyncio.gather(
            gateway.send(name, phone.number, "first"),
            write_later(phone, shop.number, place % STEPS * STEP_SECONDS),
        )
        written.append(message_id)
    for phone in people:
        written.append(await phone.send_text(shop.number, "and again"))
        await gateway.send(name, phone.number, "second")

    def told() -> set[str]:
        events = [arrival.event for arrival in gateway.backend.arrivals]
        return {event.data.message_id for event in events if isinstance(event, MessageReceived)}

    await eventually(lambda: set(written) <= told(), timeout_seconds=30)
    for phone in people:
        await phone.inbox.wait_for(lambda message: message.text == "second", timeout=30)
        assert [message.text for message in phone.inbox] == ["first", "second"]
