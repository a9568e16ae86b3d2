"""What a worker publishes comes to whom it is for, at the broker and in a test's memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import WorkerCapacity, WorkerCapacityData, encode, parse_event
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.broker.delivery import CommandDelivery, excess
from gateway_worker.broker.headers import CONTROL, HOP, STAGE
from gateway_worker.broker.room import Room
from gateway_worker.commands.forwarding import CommandForwarder
from gateway_worker.commands.ports import Excess
from gateway_worker.errors import DependencyError
from gateway_worker.health.capacity import CapacityEvents
from gateway_worker.health.heartbeat import WorkerEvents
from gateway_worker.sessions.peer_messages import PeerMessages
from tests.integration.broker.support import WORKER, Backend
from tests.support.publications import MemoryPublications, Published
from tests.support.settling import MemorySettler
from tests.unit.broker.test_delivery_tracker import handle, message

PEER = "w2"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worker that publishes, and those who get it.

    Attributes:
        peers: Publishes peer messages.
        commands: Passes commands on.
        events: Says what the worker says of itself.
        capacity: Likewise, of its room.
        got: Takes so many messages that came to PEER, in order.
        told: Takes so many events, in order.
        leave: Takes the broker away.
    """

    peers: PeerMessages
    commands: CommandForwarder
    events: WorkerEvents
    capacity: CapacityEvents
    got: Callable[[int], Awaitable[Sequence[Published]]]
    told: Callable[[int], Awaitable[Sequence[bytes]]]
    leave: Callable[[], Awaitable[object]]


def published(message: AbstractIncomingMessage) -> Published:
    """Return what came, as the tests' own publisher would have kept it."""
    headers: dict[str, Any] = dict(message.headers)
    return Published(
        body=message.body,
        message_id=message.message_id,
        kind=headers.get(CONTROL),
        stage=headers.get(STAGE),
        hop=headers.get(HOP),
        excess=excess(message),
    )


def in_memory() -> Place:
    """Return what tests publish with."""
    publications = MemoryPublications()

    async def got(count: int) -> Sequence[Published]:
        assert len(publications.to_workers[PEER]) == count
        return publications.to_workers.pop(PEER)

    async def told(count: int) -> Sequence[bytes]:
        assert len(publications.told) == count
        return [encode(event) for event in publications.told]

    async def leave() -> None:
        publications.is_away = True

    return Place(
        peers=publications,
        commands=publications,
        events=publications,
        capacity=publications,
        got=got,
        told=told,
        leave=leave,
    )


async def at_the_broker(settings: BrokerSettings, backend: Backend, stack: AsyncExitStack) -> Place:
    """Return the real publisher, and look at the queues."""
    mine = await stack.enter_async_context(Broker.open(settings, worker_id=WORKER))
    events = await backend.collect_events("worker.#")

    async def got(count: int) -> Sequence[Published]:
        taken = await backend.take(backend.topology.worker_queue(PEER), count)
        return [published(one) for one in taken]

    async def told(count: int) -> Sequence[bytes]:
        return [one.body for one in await backend.take(events, count)]

    return Place(
        peers=mine.publisher,
        commands=mine.publisher,
        events=mine.publisher,
        capacity=mine.publisher,
        got=got,
        told=told,
        leave=stack.aclose,
    )


@pytest.fixture(params=["broker", "memory"])
async def place(
    request: pytest.FixtureRequest, settings: BrokerSettings, backend: Backend
) -> AsyncIterator[Place]:
    """Return a worker and its peer."""
    if request.param == "memory":
        yield in_memory()
        return
    async with Broker.open(settings, worker_id=PEER), AsyncExitStack() as stack:
        yield await at_the_broker(settings, backend, stack)


def command(
    body: bytes, message_id: str | None, *, excess: Excess | None = None
) -> CommandDelivery:
    """Return a command that came to the worker."""
    return CommandDelivery(
        message=message(body, message_id=message_id),
        handle=handle(1),
        key=None,
        queue="q",
        origin=WORKER,
        settler=MemorySettler(),
        room=Room.of_own(0),
        excess=excess,
    )


def full(waiting: int) -> WorkerCapacity:
    """Return an event."""
    return WorkerCapacity(
        source=f"/workers/{WORKER}",
        subject=WORKER,
        data=WorkerCapacityData(worker=WORKER, waiting_commands=waiting, free_slots=0),
    )


async def test_peer_messages_come_in_order_with_what_was_given(place: Place) -> None:
    """One without an id gets one of its own."""
    for body, message_id in ((b"1", "a"), (b"2", None), (b"3", None)):
        await place.peers.send_peer_message(
            "marker", worker_id=PEER, body=body, message_id=message_id
        )
    got = await place.got(3)
    assert [(one.kind, one.body, one.stage, one.hop) for one in got] == [
        ("marker", body, None, None) for body in (b"1", b"2", b"3")
    ]
    assert got[0].message_id == "a"
    assert len({one.message_id for one in got} - {None}) == 3


async def test_a_command_that_is_passed_on_keeps_body_and_id(place: Place) -> None:
    """And says which way it has come; who has taken it settles it."""
    settled = command(b"{}", "c1")
    await place.commands.pass_on(settled, worker_id=PEER, stage=2, hop=5)
    await place.commands.pass_on(command(b"[]", None), worker_id=PEER, stage=None, hop=6)
    too_much = command(b"()", "c3", excess=Excess.BYTES)
    await place.commands.pass_on(too_much, worker_id=PEER, stage=None, hop=6)
    first, second, third = await place.got(3)
    assert first == Published(body=b"{}", message_id="c1", stage=2, hop=5)
    assert (second.body, second.stage, second.hop) == (b"[]", None, 6)
    assert (first.excess, third.excess) == (None, Excess.BYTES)
    assert not settled.is_settled


async def test_what_a_worker_says_of_itself_is_read_in_order(place: Place) -> None:
    """By whoever listens to the events."""
    said = [full(number) for number in (1, 2)]
    for event in said:
        await place.capacity.publish_worker_event(event)
    assert [parse_event(body) for body in await place.told(2)] == said


async def test_what_cannot_be_published_raises(place: Place) -> None:
    """Whatever it is: who publishes must know that it may not be there."""
    await place.leave()
    with pytest.raises(DependencyError):
        await place.peers.send_peer_message("marker", worker_id=PEER, body=b"1")
    with pytest.raises(DependencyError):
        await place.commands.pass_on(command(b"{}", "c1"), worker_id=PEER, stage=None, hop=1)
    with pytest.raises(DependencyError):
        await place.capacity.publish_worker_event(full(1))
