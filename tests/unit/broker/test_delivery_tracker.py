"""How a redelivery is told from a repetition and from a new command."""

from typing import Any, cast

import pytest
from aio_pika import IncomingMessage
from aiormq import spec
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.header import ContentHeader

from gateway_worker.broker.ack_writer import AckWriter
from gateway_worker.broker.delivery import CommandDelivery, Handle
from gateway_worker.broker.delivery_tracker import Arrival, DeliveryTracker, sender_of
from gateway_worker.broker.room import Room
from gateway_worker.broker.underlay import Channel
from gateway_worker.commands.ports import Excess, Settlement
from gateway_worker.tenants.grants import EVERYTHING, Grant
from tests.support.settling import MemorySettler

LARGE = 10_000
"""A body that may be too much."""


class Line:
    """The part of a channel that says whether it is closed."""

    def __init__(self, *, is_closed: bool = False) -> None:
        self.is_closed = is_closed


def handle(tag: int, *, is_closed: bool = False) -> Handle:
    """Return a handle on an open or closed channel."""
    return Handle(AckWriter(channel=cast("Channel", Line(is_closed=is_closed))), tag)


def message(
    body: bytes = b"body",
    *,
    message_id: str | None = "m1",
    redelivered: bool = False,
    headers: dict[str, Any] | None = None,
) -> IncomingMessage:
    """Return a message as the broker delivers it."""
    properties: dict[str, Any] = {"message_id": message_id, "headers": headers}
    return IncomingMessage(
        DeliveredMessage(
            delivery=spec.Basic.Deliver(
                consumer_tag="c",
                delivery_tag=1,
                redelivered=redelivered,
                exchange="e",
                routing_key="k",
            ),
            header=ContentHeader(properties=spec.Basic.Properties(**properties)),
            body=body,
            channel=cast("AbstractChannel", Line()),
        )
    )


def enter(
    tracker: DeliveryTracker,
    incoming: IncomingMessage,
    first: Handle,
    grant: Grant = EVERYTHING,
    *,
    room: Room | None = None,
    excess: Excess | None = None,
) -> CommandDelivery:
    """Enter a new message."""
    arrival, key = tracker.classify(incoming, first, queue="q")
    assert arrival is Arrival.NEW
    delivery = CommandDelivery(
        message=incoming,
        handle=first,
        key=key,
        queue="q",
        origin="w1",
        settler=MemorySettler(),
        room=room or Room.of_own(LARGE),
        grant=grant,
        excess=excess,
    )
    tracker.enter(delivery)
    return delivery


@pytest.fixture
def tracker() -> DeliveryTracker:
    """Return a tracker that remembers little."""
    return DeliveryTracker(remembered=2)


@pytest.fixture
def room() -> Room:
    """Return room for a few large bodies."""
    return Room.of_own(4 * LARGE)


def test_a_redelivery_of_a_command_in_work_replaces_the_dead_handle(
    tracker: DeliveryTracker,
) -> None:
    """Only the new connection can settle it."""
    old, new = handle(1, is_closed=True), handle(7)
    delivery = enter(tracker, message(), old)
    arrival, _ = tracker.classify(message(redelivered=True), new, queue="q")

    assert arrival is Arrival.IN_WORK
    assert delivery.handles == [new]


def test_a_second_message_of_a_command_in_work_adds_its_handle(tracker: DeliveryTracker) -> None:
    """Both messages are with the broker until both are settled."""
    first, second = handle(1), handle(2)
    delivery = enter(tracker, message(), first)
    tracker.classify(message(), second, queue="q")

    assert delivery.handles == [first, second]
    assert len(tracker) == 1


async def test_one_that_is_published_again_at_the_end_of_the_first_is_executed(
    tracker: DeliveryTracker,
) -> None:
    """Its outcome has been told already, and is wanted again; a redelivery is still the first."""
    first = enter(tracker, message(), handle(1))
    await first.settle(Settlement.ACK)

    assert tracker.classify(message(), handle(2), queue="q") == (Arrival.NEW, None)
    again, _ = tracker.classify(message(redelivered=True), handle(3), queue="q")
    assert again is Arrival.IN_WORK


def test_copies_that_have_other_places_in_the_order_stay_two(tracker: DeliveryTracker) -> None:
    """One waits for what is older; the other, whose turn it is, must not wait with it."""
    late = message(headers={"wa-from": "w1", "wa-stage": 4, "wa-hop": 4})
    early = message(headers={"wa-from": "w1", "wa-stage": 2, "wa-hop": 4})
    enter(tracker, late, handle(1))
    enter(tracker, early, handle(2))

    assert len(tracker) == 2


def test_only_a_redelivery_of_a_settled_command_is_acknowledged_unseen(
    tracker: DeliveryTracker,
) -> None:
    """What was published again is new: its sender wants the outcome again."""
    tracker.settle(enter(tracker, message(), handle(1)))

    assert tracker.classify(message(redelivered=True), handle(2), queue="q")[0] is Arrival.SETTLED
    assert tracker.classify(message(), handle(3), queue="q")[0] is Arrival.NEW
    assert len(tracker) == 0


def test_a_forgotten_command_is_new_when_it_comes_again(tracker: DeliveryTracker) -> None:
    """It was given back, or its rejection may be lost."""
    tracker.forget(enter(tracker, message(), handle(1)))

    assert tracker.classify(message(redelivered=True), handle(2), queue="q")[0] is Arrival.NEW


def test_one_id_with_two_bodies_is_two_commands(tracker: DeliveryTracker) -> None:
    """Neither swallows the other, in work or settled."""
    tracker.settle(enter(tracker, message(b"one"), handle(1)))
    enter(tracker, message(b"two"), handle(2))

    assert (
        tracker.classify(message(b"three", redelivered=True), handle(3), queue="q")[0]
        is Arrival.NEW
    )


@pytest.mark.parametrize("message_id", [None, ""])
def test_messages_without_an_id_are_never_recognised(
    tracker: DeliveryTracker, message_id: str | None
) -> None:
    """Each is a command of its own; the inbox knows better."""
    first = enter(tracker, message(message_id=message_id), handle(1))
    second = enter(tracker, message(message_id=message_id, redelivered=True), handle(2))
    assert len(tracker) == 2
    tracker.settle(first)
    tracker.forget(second)

    assert len(tracker) == 0


def test_the_oldest_settled_command_is_forgotten_first(tracker: DeliveryTracker) -> None:
    """Memory is bounded; a repetition refreshes."""
    for name in ("a", "b", "a", "c"):
        tracker.settle(enter(tracker, message(message_id=name), handle(1)))

    assert tracker.classify(message(message_id="a", redelivered=True), handle(2), queue="q")[0] is (
        Arrival.SETTLED
    )
    assert (
        tracker.classify(message(message_id="b", redelivered=True), handle(2), queue="q")[0]
        is Arrival.NEW
    )


async def test_settling_twice_settles_once() -> None:
    """The first settlement counts."""
    settler = MemorySettler()
    delivery = CommandDelivery(
        message=message(),
        handle=handle(1),
        key=None,
        queue="q",
        origin="w1",
        settler=settler,
        room=Room.of_own(LARGE),
    )
    await delivery.settle(Settlement.ACK)
    await delivery.settle(Settlement.DEAD)

    assert settler.settled == [Settlement.ACK]


async def test_what_is_detached_is_new_again_and_settling_it_changes_nothing(
    tracker: DeliveryTracker,
) -> None:
    """Its message is back in the queue; what comes of it now is another delivery's business."""
    old = enter(tracker, message(), handle(1, is_closed=True))
    enter(tracker, message(message_id=None), handle(2))

    assert tracker.detach("another queue") == 0
    assert tracker.detach("q") == 2
    assert len(tracker) == 0
    again = enter(tracker, message(redelivered=True), handle(3))
    await old.settle(Settlement.ACK)
    tracker.settle(old)
    assert len(tracker) == 1
    tracker.settle(again)
    assert len(tracker) == 0


@pytest.mark.parametrize("queue", ["q", "another"])
@pytest.mark.parametrize("headers", [{}, {"wa-from": "w0"}, {"wa-from": "w1", "wa-hop": 4}])
def test_only_a_message_of_the_same_way_is_the_same(
    tracker: DeliveryTracker, queue: str, headers: dict[str, Any]
) -> None:
    """What comes back to a worker's queue must outlive the delivery that was sent on from there."""
    enter(tracker, message(), handle(1))
    copy = message(redelivered=True, headers=headers)
    arrival, _ = tracker.classify(copy, handle(2), queue=queue)

    is_same = queue == "q" and not headers
    assert arrival is (Arrival.IN_WORK if is_same else Arrival.NEW)


def test_each_round_of_a_message_that_goes_in_circles_is_its_own(tracker: DeliveryTracker) -> None:
    """The session moved to and fro: sent on from here again, it must not be settled with itself."""
    first = message(headers={"wa-from": "w1", "wa-stage": 2, "wa-hop": 3})
    enter(tracker, first, handle(1))
    again = message(headers={"wa-from": "w1", "wa-stage": 2, "wa-hop": 5})
    assert tracker.classify(again, handle(2), queue="q")[0] is Arrival.NEW
    assert tracker.classify(first, handle(3), queue="q")[0] is Arrival.IN_WORK


async def test_what_each_tenant_has_in_work_is_counted(tracker: DeliveryTracker) -> None:
    """However it ends, each once; whoever has no tenant is not counted."""
    acme, mallory = Grant(tenant="acme"), Grant(tenant="mallory")
    first = enter(tracker, message(), handle(1), acme)
    anonymous = enter(tracker, message(message_id=None), handle(2), acme)
    enter(tracker, message(message_id="m2"), handle(3), mallory)
    enter(tracker, message(message_id="m3"), handle(4))
    assert (tracker.of_tenant("acme"), tracker.of_tenant("mallory")) == (2, 1)
    for delivery in (first, anonymous):
        tracker.settle(delivery)
        tracker.forget(delivery)
    assert (tracker.of_tenant("acme"), tracker.of_tenant("mallory")) == (0, 1)
    tracker.detach("q")
    assert (len(tracker), tracker.of_tenant("mallory")) == (0, 0)


async def test_what_bodies_take_is_counted_until_they_are_settled(
    tracker: DeliveryTracker, room: Room
) -> None:
    """However that ends, each once; what is small always has room."""
    acme = Grant(tenant="acme")
    large = message(bytes(LARGE), message_id="large")
    first = enter(tracker, large, handle(1), acme, room=room)
    assert not has_room(room, large, acme), "that is its quarter"
    assert has_room(room, large, EVERYTHING)
    assert has_room(room, message(), acme)
    tracker.settle(first)
    tracker.forget(first)
    assert has_room(room, large, acme)

    enter(tracker, large, handle(2), acme, room=room)
    enter(tracker, message(bytes(LARGE), message_id=None), handle(3), acme, room=room)
    assert tracker.detach("q") == 2
    assert has_room(room, large, acme)


async def test_what_is_being_refused_takes_nobodys_room(
    tracker: DeliveryTracker, room: Room
) -> None:
    """A flood of refusals would else have others refused, too."""
    large = message(bytes(LARGE), message_id=None)
    refused = [
        enter(tracker, large, handle(tag), excess=Excess.BYTES, room=room) for tag in range(1, 10)
    ]
    assert has_room(room, large, EVERYTHING)
    kept = enter(tracker, large, handle(10), room=room)
    for delivery in refused:
        tracker.settle(delivery)
    assert not has_room(room, large, EVERYTHING), "what is kept still counts"
    tracker.settle(kept)
    assert has_room(room, large, EVERYTHING)


def has_room(room: Room, incoming: IncomingMessage, grant: Grant) -> bool:
    """Whether one more may be held."""
    return room.waiting.have_room(sender_of(incoming, grant), len(incoming.body))
