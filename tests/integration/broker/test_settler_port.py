"""A settlement is carried out alike at the broker and in a test's memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from gateway_worker.broker import BrokerSettings
from gateway_worker.broker.delivery import CommandDelivery
from gateway_worker.broker.room import Room
from gateway_worker.commands.ports import Delivery, Settlement
from tests.integration.broker.support import WORKER, Backend, Mill, consuming, hold
from tests.support.eventually import eventually
from tests.support.settling import MemorySettler
from tests.unit.broker.test_delivery_tracker import handle, message

READY, DEAD = {Settlement.REQUEUE: 1}, {Settlement.DEAD: 1}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A delivery in work.

    Attributes:
        delivery: What came.
        becomes: Fails unless this is what has become of it.
    """

    delivery: Delivery
    becomes: Callable[[Settlement], Awaitable[object]]


def in_memory() -> Place:
    """Return a delivery of tests."""
    settler = MemorySettler()

    async def becomes(settlement: Settlement) -> None:
        assert settler.settled == [settlement]

    delivery = CommandDelivery(
        message=message(b"s1 1"),
        handle=handle(1),
        key=None,
        queue="q",
        origin=WORKER,
        settler=settler,
        room=Room.of_own(0),
    )
    return Place(delivery=delivery, becomes=becomes)


async def at_the_broker(settings: BrokerSettings, backend: Backend, stack: AsyncExitStack) -> Place:
    """Return a real one; when nobody consumes any more, it is seen where the command is."""
    mill = Mill(hold)
    await stack.enter_async_context(consuming(settings, mill, "s1"))
    await backend.send("s1 1")
    await eventually(lambda: mill.accepted)
    topology = settings.topology

    async def becomes(settlement: Settlement) -> None:
        await stack.aclose()
        expected = (READY.get(settlement, 0), DEAD.get(settlement, 0))

        async def is_there() -> bool:
            ready = await backend.depth(topology.worker_queue(WORKER))
            return (ready, await backend.depth(topology.dead_commands)) == expected

        await eventually(is_there)

    return Place(delivery=mill.accepted[0], becomes=becomes)


@pytest.fixture(params=["broker", "memory"])
async def place(
    request: pytest.FixtureRequest, settings: BrokerSettings, backend: Backend
) -> AsyncIterator[Place]:
    """Return a delivery."""
    if request.param == "memory":
        yield in_memory()
        return
    async with AsyncExitStack() as stack:
        yield await at_the_broker(settings, backend, stack)


@pytest.mark.parametrize("settlement", list(Settlement))
async def test_a_delivery_becomes_what_its_first_settlement_says(
    place: Place, settlement: Settlement
) -> None:
    """Another one later changes nothing."""
    await place.delivery.settle(settlement)
    for other in Settlement:
        await place.delivery.settle(other)
    await place.becomes(settlement)
