"""Dead workers' queues are attended alike by the consumer and in a test's memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.sessions.ownership.ports import Intake
from tests.integration.broker.support import Backend, Mill, consuming
from tests.support.eventually import eventually
from tests.support.intake import MemoryIntake

DEAD = "gone"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worker's intake.

    Attributes:
        intake: The port.
        is_consumed: Whether what comes to DEAD's queue is taken here.
    """

    intake: Intake
    is_consumed: Callable[[], Awaitable[bool]]


def in_memory() -> Place:
    """Return that of tests."""
    intake = MemoryIntake()

    async def is_consumed() -> bool:
        return DEAD in intake.attended

    return Place(intake=intake, is_consumed=is_consumed)


async def at_the_broker(settings: BrokerSettings, backend: Backend, stack: AsyncExitStack) -> Place:
    """Return the real one, beside a dead worker that has left a queue."""
    async with Broker.open(settings, worker_id=DEAD):
        pass
    mill = Mill()
    _, consumer = await stack.enter_async_context(consuming(settings, mill))
    await eventually(lambda: consumer.is_consuming)
    topology = settings.topology

    async def is_consumed() -> bool:
        sent = len(mill.executed)
        await backend.send(
            "s1 1", routing_key=topology.worker_key(DEAD), exchange=topology.internal
        )

        async def is_taken_or_waits() -> bool:
            waits = await backend.depth(topology.worker_queue(DEAD))
            return waits > 0 or len(mill.executed) > sent

        await eventually(is_taken_or_waits)
        return len(mill.executed) > sent

    return Place(intake=consumer, is_consumed=is_consumed)


@pytest.fixture(params=["broker", "memory"])
async def place(
    request: pytest.FixtureRequest, settings: BrokerSettings, backend: Backend
) -> AsyncIterator[Place]:
    """Return a worker that attends nobody."""
    if request.param == "memory":
        yield in_memory()
        return
    async with AsyncExitStack() as stack:
        yield await at_the_broker(settings, backend, stack)


async def test_a_dead_workers_queue_is_consumed_while_it_is_attended(place: Place) -> None:
    """Once or twice; and to leave one that is not attended changes nothing."""
    await place.intake.dismiss(DEAD)
    assert list(place.intake.attended) == []
    assert not await place.is_consumed()
    for _ in range(2):
        place.intake.attend(DEAD)
    assert list(place.intake.attended) == [DEAD]
    await eventually(place.is_consumed)
    for _ in range(2):
        await place.intake.dismiss(DEAD)
    assert list(place.intake.attended) == []
    assert not await place.is_consumed()


async def test_the_queue_of_one_that_is_attended_by_nobody_can_be_removed(place: Place) -> None:
    """Once or twice."""
    place.intake.attend(DEAD)
    assert not await place.intake.remove_queue(DEAD)
    await place.intake.dismiss(DEAD)
    assert [await place.intake.remove_queue(DEAD) for _ in range(2)] == [True, True]
