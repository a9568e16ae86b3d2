"""An operator sees why a command died, sets it right, and replays the command."""

from gateway_contracts import CommandSucceeded, SentInfo
from gateway_worker.devkit.services.process import base_environment
from tests.e2e.harness import ADA, SHOP, ErrorCode, Gateway
from tests.support.ctl import run_ctl


async def test_a_replayed_message_arrives_once(gateway: Gateway) -> None:
    """It was for a session that nobody had created; a repeat then only tells how it ended."""
    environment = {**base_environment(), **gateway.environment}
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    early = gateway.text("shop", ADA, "Hello Ada")
    failed = await gateway.fail(early)
    assert failed.data.error.code is ErrorCode.SESSION_NOT_FOUND
    await gateway.link("shop", shop)

    after = len(gateway.backend.arrivals)
    replayed = await run_ctl(environment, "dead", "replay", "--all")
    assert (replayed.code, replayed.out) == (0, "replayed 1\n"), replayed.err
    sent = await gateway.backend.expect(CommandSucceeded, "shop", after=after)
    message = await ada.next_message(timeout=10)
    assert isinstance(sent.data.result, SentInfo)
    assert (message.text, message.message_id) == ("Hello Ada", sent.data.result.message_id)

    after = len(gateway.backend.arrivals)
    await gateway.backend.publish(early)
    repeated = await gateway.backend.expect(CommandSucceeded, "shop", after=after)
    assert repeated.data.repeated
    assert repeated.data.result == sent.data.result
