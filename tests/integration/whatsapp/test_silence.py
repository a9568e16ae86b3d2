"""What a host can tell of a connection over which nothing comes."""

import asyncio
import time

import pytest

from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods.messages import FindChats
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.methods.session import Listen, Probe
from gateway_worker.sandbox.service.fault_rules import Point, Rule, Silence, Who
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.eventually import eventually

REFUSED = QueryRefusal(query="blocklist", status=503)
TICK_SECONDS = 0.02
"""The kernel tells when it was in steps of a tick, which is 10 ms at most."""
pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def heard(account: Account) -> float:
    """Return when something has come last, by the monotonic clock."""
    seconds = (await account.host.request(Listen())).seconds
    assert seconds is not None
    return time.monotonic() - seconds


async def quiet(account: Account) -> None:
    """Return when nothing has come for longer than the kernel may be wrong by."""

    async def is_quiet() -> bool:
        return await heard(account) < time.monotonic() - 5 * TICK_SECONDS

    await eventually(is_quiet, reason="nothing comes")


async def test_an_answer_is_heard(shop: Account) -> None:
    """The kernel knows when something has come, whoever it was for."""
    await quiet(shop)
    asked = time.monotonic()

    assert await shop.host.request(Probe()) == Done()

    assert await heard(shop) >= asked - TICK_SECONDS


async def test_an_answer_that_is_a_refusal_is_heard_too(stage: Stage, shop: Account) -> None:
    """Whatever WhatsApp says, it is there."""
    number = shop.phone.number
    stage.sandbox.faults.set(number, Faults(refused_queries=(REFUSED,)))
    await quiet(shop)
    asked = time.monotonic()
    with pytest.raises(GatewayError):
        await shop.host.request(Probe())
    stage.sandbox.faults.clear(number)

    assert await heard(shop) >= asked - TICK_SECONDS


async def test_silence_is_not_heard_and_holds_up_no_other_query(
    stage: Stage, shop: Account
) -> None:
    """The connection stands all the while; what was given up is in nobody's way afterwards."""
    number = shop.phone.number
    ben = await stage.customer()
    rule = Rule(id="mute", point=Point.STANZA, who=Who(number=number), effect=Silence())
    stage.sandbox.faults.add(rule)
    silent_since = time.monotonic()
    sent = await ben.send_text(number, "are you there?")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await shop.host.request(Probe())
    assert await heard(shop) < silent_since + 0.4
    assert stage.sandbox.connections.links(number)[0].online
    stage.sandbox.faults.remove("mute")

    assert (await shop.host.request(FindChats(to=ben.number))).chats
    assert await heard(shop) > silent_since + 0.4
    stage.sandbox.connections.drop(number)  # what was swallowed comes with the next login
    await eventually(lambda: sent in {message.message_id for message in shop.messages()})
