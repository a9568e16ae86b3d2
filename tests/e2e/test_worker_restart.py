"""The worker is restarted, politely and not: sessions come back without a new QR code."""

from gateway_contracts import (
    MessageReceived,
    SessionQr,
    SessionState,
    StatusReason,
    TextContent,
)
from tests.e2e.harness import ADA, SHOP, Gateway


async def test_a_restart_needs_no_new_qr(gateway: Gateway) -> None:
    """SIGTERM drains, the next start resumes, and the session sends again."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    after = len(gateway.backend.arrivals)

    await gateway.worker.stop()
    draining = await gateway.until("shop", SessionState.RECONNECTING, after=after)
    await gateway.worker.start()
    await gateway.until("shop", SessionState.CONNECTED, after=after)
    await gateway.send("shop", ADA, "back again")

    assert draining.data.reason is StatusReason.WORKER_DRAINING
    assert (await ada.next_message(timeout=10)).text == "back again"
    assert not [one for one in gateway.backend.arrivals[after:] if isinstance(one.event, SessionQr)]


async def test_a_killed_worker_comes_back_with_its_sessions(gateway: Gateway) -> None:
    """Kill -9 takes worker, zygote and hosts; nothing is asked of the user."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    after = len(gateway.backend.arrivals)

    await gateway.worker.kill()
    await ada.send_text(SHOP, "are you there?")
    await gateway.worker.start()

    await gateway.until("shop", SessionState.CONNECTED, after=after)
    received = await gateway.backend.expect(MessageReceived, "shop", after=after)
    assert received.data.content == TextContent(text="are you there?")


async def test_commands_of_the_time_away_are_executed_after_the_start(gateway: Gateway) -> None:
    """The broker keeps them, in order."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    await gateway.worker.stop()

    commands = [gateway.text("shop", ADA, f"{number}") for number in range(3)]
    for command in commands:
        await gateway.backend.publish(command)
    await gateway.worker.start()
    for command in commands:
        await gateway.backend.outcome(command.id)

    assert [(await ada.next_message(timeout=10)).text for _ in commands] == ["0", "1", "2"]
