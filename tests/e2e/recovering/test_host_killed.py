"""One account's process dies: the others notice nothing, and it comes back."""

import asyncio

from gateway_contracts import (
    CommandSucceeded,
    SessionState,
    SessionStatus,
    StatusReason,
)
from tests.e2e.harness import Gateway


async def test_a_killed_host_is_restarted_and_announced(gateway: Gateway, name: str) -> None:
    """Kill -9 of the host: `reconnecting` with its reason, then `connected`."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    after = len(gateway.backend.arrivals)

    (host,) = gateway.worker.hosts()
    host.kill()
    down = await gateway.until(name, SessionState.RECONNECTING, after=after)
    await gateway.until(name, SessionState.CONNECTED, after=after)
    await gateway.send(name, ada.number, "still here")

    assert down.data.reason is StatusReason.HOST_EXITED
    assert (await ada.next_message(timeout=30)).text == "still here"
    assert await gateway.worker.is_ready()


async def test_the_other_sessions_notice_nothing(
    gateway: Gateway, name: str, other_name: str
) -> None:
    """While one host dies, another session's sends all succeed and its state does not change."""
    shop = await gateway.sandbox.add_phone()
    other = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    (victim,) = gateway.worker.hosts()
    await gateway.link(other_name, other)
    after = len(gateway.backend.arrivals)

    commands = [gateway.text(other_name, ada.number, f"{number}") for number in range(40)]
    sending = asyncio.gather(*(gateway.backend.request(command) for command in commands))
    victim.kill()
    outcomes = await sending
    await gateway.until(name, SessionState.CONNECTED, after=after)

    assert all(isinstance(outcome, CommandSucceeded) for outcome in outcomes)
    assert not [
        one.event
        for one in gateway.backend.arrivals[after:]
        if isinstance(one.event, SessionStatus) and one.event.subject == other_name
    ]


async def test_a_killed_zygote_costs_reconnects_only(gateway: Gateway, name: str) -> None:
    """The process that hosts are forked from dies with them; all come back."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    after = len(gateway.backend.arrivals)

    (zygote,) = gateway.worker.zygotes()
    zygote.kill()
    await gateway.until(name, SessionState.CONNECTED, after=after)
    await gateway.send(name, ada.number, "still here")

    assert (await ada.next_message(timeout=30)).text == "still here"
