"""The broker goes away and comes back: nothing is lost, nobody reconnects by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_contracts import MessageReceived, TextContent
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.rabbitmq import REGISTERED_SECONDS
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import ADA, SHOP, Gateway, open_gateway
from tests.support.pacing import pace


@pytest.fixture
async def own_gateway(
    own_services: RunningServices,
    environment: dict[str, str],
    sandbox: Sandbox,
    tmp_path: Path,
) -> AsyncIterator[Gateway]:
    """A gateway on a broker that this test may break."""
    settings = {**environment, "AMQP_URL": own_services.rabbitmq.url}
    async with open_gateway(sandbox, settings, tmp_path, durable=True) as gateway:
        yield gateway


async def test_the_broker_is_killed_and_started_again(
    own_gateway: Gateway, own_services: RunningServices
) -> None:
    """What arrives meanwhile is announced afterwards; commands work again."""
    gateway = own_gateway
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    await pace(REGISTERED_SECONDS)

    await own_services.rabbitmq.kill()
    for number in range(5):
        await ada.send_text(SHOP, f"{number}")
    await pace(1)
    await own_services.rabbitmq.start()

    await gateway.backend.expect(
        MessageReceived,
        "shop",
        lambda event: event.data.content == TextContent(text="4"),
        seconds=50,
    )
    await gateway.send("shop", ADA, "back again")
    texts = [
        event.data.content
        for event in gateway.backend.events_of("shop")
        if isinstance(event, MessageReceived)
    ]
    assert texts == [TextContent(text=f"{number}") for number in range(5)]
    assert (await ada.next_message(timeout=30)).text == "back again"
