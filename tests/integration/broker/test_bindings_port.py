"""Bindings keep the same promises at the broker and in a test's memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.sessions.ports import CommandBindings
from tests.integration.broker.support import WORKER, Backend, Mill, consuming
from tests.support.bindings import MemoryBindings, MemoryBroker
from tests.support.eventually import eventually

SILENT = "w2"
"""Has a queue, which nobody consumes."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Two workers, and a way to find out who gets a session's commands.

    Attributes:
        mine: The routes of the worker that does not listen.
        theirs: Those of the one that does.
        targets: Publishes a command; returns the workers that have got it.
    """

    mine: CommandBindings
    theirs: CommandBindings
    targets: Callable[[str], Awaitable[set[str]]]


def in_memory() -> Place:
    """Return routes of tests."""
    broker = MemoryBroker(WORKER)

    async def targets(session_id: str) -> set[str]:
        return broker.targets(session_id)

    return Place(
        mine=MemoryBindings(broker, worker_id=SILENT),
        theirs=MemoryBindings(broker, worker_id=WORKER),
        targets=targets,
    )


def at_the_broker(mine: Broker, theirs: Broker, backend: Backend, mill: Mill) -> Place:
    """Return real ones; what nobody gets comes to the shared queue, and is consumed from it."""

    async def targets(session_id: str) -> set[str]:
        before = await _arrived(backend, mill)
        await backend.send(f"{session_id} 1")
        now = await eventually(lambda: _changed(backend, mill, before))
        assert now is not None
        return {worker for worker in now if now[worker] > before[worker]} - {""}

    return Place(mine=mine.bindings, theirs=theirs.bindings, targets=targets)


async def _arrived(backend: Backend, mill: Mill) -> dict[str, int]:
    topology: Topology = backend.topology
    origins = [delivery.origin or "" for delivery in mill.accepted]
    return {
        SILENT: await backend.depth(topology.worker_queue(SILENT)),
        WORKER: origins.count(WORKER),
        "": origins.count(""),
    }


async def _changed(backend: Backend, mill: Mill, before: dict[str, int]) -> dict[str, int] | None:
    now = await _arrived(backend, mill)
    return now if now != before else None


@pytest.fixture(params=["broker", "memory"])
async def place(
    request: pytest.FixtureRequest, settings: BrokerSettings, amqp_url: str
) -> AsyncIterator[Place]:
    """Return two workers."""
    if request.param == "memory":
        yield in_memory()
        return
    mill = Mill()
    async with (
        Broker.open(settings, worker_id=SILENT) as mine,
        consuming(settings, mill) as (theirs, consumer),
        Backend.connected(amqp_url, topology=settings.topology) as backend,
    ):
        await eventually(lambda: consumer.is_consuming)
        yield at_the_broker(mine, theirs, backend, mill)


async def test_a_session_that_is_bound_is_routed_here(place: Place) -> None:
    """Once more, and when it is bound no more, changes nothing else."""
    assert await place.targets("s") == set()
    for _ in range(2):
        await place.mine.bind("s")
    assert await place.targets("s") == {SILENT}
    assert await place.targets("other") == set()
    for _ in range(2):
        await place.mine.unbind("s")
    assert await place.targets("s") == set()


async def test_a_session_is_taken_from_another_worker(place: Place) -> None:
    """Whether that one has it, has no queue, or has nothing of it."""
    await place.theirs.bind("s")
    assert await place.targets("s") == {WORKER}
    await place.mine.bind("s")
    for worker in (WORKER, WORKER, "nobody"):
        await place.mine.unbind_from("s", worker)
    assert await place.targets("s") == {SILENT}


async def test_only_what_is_not_meant_to_come_here_is_turned_away(place: Place) -> None:
    """A session that is here again is."""
    await place.mine.bind("s")
    await place.mine.unbind_disowned("s")
    assert await place.targets("s") == {SILENT}
    place.mine.disown("s")
    assert await place.targets("s") == {SILENT}, "it is only noted"
    await place.mine.bind("s")
    await place.mine.unbind_disowned("s")
    assert await place.targets("s") == {SILENT}
    place.mine.disown("s")
    for _ in range(2):
        await place.mine.unbind_disowned("s")
    assert await place.targets("s") == set()


async def test_a_worker_listens_while_it_consumes_its_queue(place: Place) -> None:
    """One that has died does not, nor one that never was."""
    assert [await place.mine.is_listening(worker) for worker in (WORKER, SILENT, "nobody")] == [
        True,
        False,
        False,
    ]
