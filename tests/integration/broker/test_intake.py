"""What a queue hands out in one go does not fill the memory: it is read as there is room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway_worker.broker import Broker, BrokerSettings, CommandConsumer, subscription
from gateway_worker.broker.stats import BrokerStats
from gateway_worker.commands.ports import Delivery, Excess, Settlement
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    bodies,
    consuming,
    hold,
    numbered,
)
from tests.support.eventually import eventually
from tests.support.pacing import consistently

BODY_BYTES = 16_384
COUNT = 200


def large(count: int) -> list[str]:
    """Return commands of a session that take much more than may be held."""
    return [f"{body} ".ljust(BODY_BYTES, "x") for body in numbered(count)]


async def test_what_is_not_settled_yet_is_not_followed_by_more_than_may_be_held(
    settings: BrokerSettings, backend: Backend
) -> None:
    """The broker has handed out all of it; as soon as some is settled the rest comes, in order."""
    bounded = settings.model_copy(update={"unsettled_bytes": 200_000, "prefetch": 256})
    mill, sent = Mill(hold), large(COUNT)
    async with consuming(bounded, mill, "s1") as (broker, consumer):
        await backend.send_all(sent)
        await eventually(lambda: held(broker.stats()) > 300_000)
        await consistently(lambda: held(broker.stats()) < 1_200_000, seconds=1.0)
        assert consumer.in_flight < COUNT
        await eventually(lambda: depth_is(backend, bounded, 0), reason="it is handed out")

        early, mill.accepted = mill.accepted, []
        for delivery in early:
            await delivery.settle(Settlement.ACK)
        rest: list[str] = []

        async def settle_all() -> bool:
            some, mill.accepted = mill.accepted, []
            rest.extend(bodies(some))
            for delivery in some:
                await delivery.settle(Settlement.ACK)
            return len(early) + len(rest) == COUNT

        await eventually(settle_all, timeout_seconds=120)
        assert [*bodies(early), *rest] == sent
        stats = broker.stats()
        assert (held(stats), stats.reconnects, stats.reattached) == (0, 0, 0)


async def depth_is(backend: Backend, settings: BrokerSettings, expected: int) -> bool:
    """Whether so many messages are in the worker's queue and were not handed out."""
    return await backend.depth(settings.topology.worker_queue(WORKER)) == expected


async def test_more_than_may_be_held_comes_again_in_order(
    settings: BrokerSettings, backend: Backend
) -> None:
    """None of what a queue has got back can be looked at before all has come."""
    plenty = settings.model_copy(update={"prefetch": 256})
    sent = large(COUNT)
    mill = Mill(hold)
    async with consuming(plenty, mill, "s1"):
        await backend.send_all(sent)
        await eventually(lambda: len(mill.accepted) == COUNT, timeout_seconds=60)

    bounded = plenty.model_copy(update={"unsettled_bytes": BODY_BYTES * COUNT * 55 // 100})
    again = Mill(hold)
    async with consuming(bounded, again, "s1") as (broker, consumer):
        await eventually(lambda: len(again.accepted) == COUNT, timeout_seconds=120)
        assert bodies(again.accepted) == sent
        assert held(broker.stats()) == BODY_BYTES * COUNT
        consumer.pause()
        await consumer.suspend()
        assert held(broker.stats()) == 0


async def test_more_than_there_is_room_for_is_not_waited_for(
    settings: BrokerSettings, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a queue has got back is handed on as far as it has come, and makes room for the rest."""
    monkeypatch.setattr(subscription, "_GATHERING_SECONDS", 0.2)
    plenty = settings.model_copy(update={"prefetch": 256})
    sent = large(COUNT)
    mill = Mill(hold)
    async with consuming(plenty, mill, "s1"):
        await backend.send_all(sent)
        await eventually(lambda: len(mill.accepted) == COUNT, timeout_seconds=60)

    bounded = plenty.model_copy(update={"unsettled_bytes": BODY_BYTES * COUNT // 4})
    again = Mill()
    async with consuming(bounded, again, "s1") as (broker, _):
        await eventually(lambda: len(again.executed) == COUNT, timeout_seconds=120)
        assert sorted(again.executed) == sorted(sent)
        await eventually(lambda: held(broker.stats()) == 0)


async def test_what_is_kept_during_a_pause_counts(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Nothing of it is handed on; none of it is forgotten, or counted twice."""
    mill, sent = Mill(hold), large(20)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        consumer.pause()
        await backend.send_all(sent)
        await eventually(lambda: held(broker.stats()) == 20 * BODY_BYTES)
        assert not mill.accepted
        consumer.resume()
        await eventually(lambda: bodies(mill.accepted) == sent)
        assert held(broker.stats()) == 20 * BODY_BYTES
        await asyncio.gather(*(one.settle(Settlement.ACK) for one in mill.accepted))
        assert held(broker.stats()) == 0


async def test_what_was_kept_on_a_lost_connection_comes_again(
    settings: BrokerSettings, backend: Backend
) -> None:
    """It counts no more while nothing is asked for, and once when it is here again."""
    mill, sent = Mill(hold), large(20)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send_all(sent[:10])
        await eventually(lambda: len(mill.accepted) == 10)
        consumer.pause()
        await backend.send_all(sent[10:])
        await eventually(lambda: held(broker.stats()) == 20 * BODY_BYTES)
        broker._connections.consuming.suspect("the test says so")
        await eventually(lambda: broker.stats().reconnects == 1)
        await eventually(lambda: held(broker.stats()) == 10 * BODY_BYTES)
        consumer.resume()
        await eventually(lambda: bodies(mill.accepted) == sent)
        assert held(broker.stats()) == 20 * BODY_BYTES
        assert broker.stats().reattached == 10


async def test_a_window_does_not_widen_for_what_fills_the_memory(
    settings: BrokerSettings, backend: Backend
) -> None:
    """What waits in it is many small commands; no more are asked for before some are settled."""
    bounded = settings.model_copy(update={"unsettled_bytes": 100_000})
    mill = Mill(hold)
    async with consuming(bounded, mill, "s1") as (_, consumer):
        await backend.send_all(numbered(200))
        await eventually(lambda: len(mill.accepted) == settings.prefetch)
        consumer.widen(settings.prefetch)
        await eventually(lambda: len(mill.accepted) == 2 * settings.prefetch)
        consumer.widen(2 * settings.prefetch)
        await consistently(lambda: len(mill.accepted) == 2 * settings.prefetch, seconds=0.5)
        for delivery in mill.accepted[:-20]:
            await delivery.settle(Settlement.ACK)
        await eventually(lambda: len(mill.accepted) == 200)
        assert bodies(mill.accepted) == numbered(200)


DEAD = "w0"


@asynccontextmanager
async def left_by_a_dead_worker(
    settings: BrokerSettings, backend: Backend, mill: Mill
) -> AsyncIterator[tuple[Broker, CommandConsumer]]:
    """Consume, with more of a dead worker's commands than may be held, which nobody can execute."""
    async with Broker.open(settings, worker_id=DEAD) as dead:
        await dead.bindings.bind("s1")
    await backend.send_all(large(COUNT))
    bounded = settings.model_copy(update={"unsettled_bytes": 200_000, "attended_prefetch": 1_000})
    async with consuming(bounded, mill, "s2") as (broker, consumer):
        consumer.attend(DEAD)
        await eventually(lambda: held(broker.stats()) > 300_000)
        yield broker, consumer


async def only_own(delivery: Delivery) -> None:
    """Execute what is not a dead worker's."""
    if delivery.origin != DEAD:
        await delivery.settle(Settlement.ACK)


async def test_what_a_dead_worker_has_left_costs_nobody_else_any_time(
    settings: BrokerSettings, backend: Backend
) -> None:
    """The own commands come as ever, as do those of sessions without an owner, and answers."""
    mill = Mill(only_own)
    own = [f"s2 {number}" for number in range(COUNT)]
    async with left_by_a_dead_worker(settings, backend, mill) as (broker, consumer):
        before = len(mill.accepted)
        await backend.send_all(own)
        await eventually(lambda: [body for body in mill.executed if body in set(own)] == own)
        await backend.send("nobody 1")
        await eventually(lambda: "nobody 1" in mill.executed)
        await broker.bindings.bind("s3")
        await backend.send("s3 1")
        await eventually(lambda: "s3 1" in mill.executed)
        assert await broker.depth() == 0

        assert before < COUNT, "so much is still to be read"
        assert consumer.in_flight < COUNT
        assert broker.check().ready


async def test_what_a_dead_worker_has_left_costs_nobody_else_any_room(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Of it what is too much is refused; of the own commands nothing is."""
    mill = Mill(only_own)
    async with left_by_a_dead_worker(settings, backend, mill):
        refused = [one.excess for one in mill.accepted]
        assert {Excess.BYTES, None} == set(refused)
        await backend.send("s2 large ".ljust(2 * BODY_BYTES, "x"))
        await eventually(lambda: mill.accepted[-1].origin == WORKER)

        assert mill.accepted[-1].excess is None


async def test_what_waits_for_room_comes_where_it_slows_nobody(
    settings: BrokerSettings, backend: Backend
) -> None:
    """All that waits is taken while nobody has room, and as little as ever when somebody has."""
    bounded = settings.model_copy(update={"unsettled_bytes": 200_000, "attended_prefetch": 1_000})
    mill = Mill(hold_nobodys)
    async with consuming(bounded, mill, "s2") as (broker, consumer):
        consumer.pause_unassigned()
        await backend.send_all(large(COUNT))
        consumer.take_waiting(wanted=True)
        await eventually(lambda: held(broker.stats()) > 300_000)
        await backend.send_all([f"s2 {number}" for number in range(COUNT)])
        await eventually(lambda: len([one for one in mill.accepted if one.origin]) == COUNT)
        assert consumer.in_flight < COUNT

        consumer.take_waiting(wanted=False)
        consumer.resume_unassigned()

        async def comes() -> bool:
            await backend.send("nobody 1")
            return any(one.body == b"nobody 1" for one in mill.accepted)

        await eventually(comes, reason="little is taken again, and read at once")


async def hold_nobodys(delivery: Delivery) -> None:
    """Execute what is the worker's own."""
    if not delivery.unassigned:
        await delivery.settle(Settlement.ACK)


async def test_the_broker_can_be_asked_however_slowly_is_read(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A session that is taken over is bound at once: its commands need wait no more."""
    bounded = settings.model_copy(update={"unsettled_bytes": 200_000, "prefetch": 256})
    mill = Mill(hold)
    async with consuming(bounded, mill, "s1") as (broker, consumer):
        await backend.send_all(large(COUNT))
        await eventually(lambda: held(broker.stats()) > 400_000)
        await broker.bindings.bind("s2")
        await broker.bindings.unbind("s2")
        await eventually(lambda: depth_is(backend, bounded, 0), reason="it is handed out")
        assert await broker.depth() == 0

        assert consumer.in_flight < COUNT, "so much is still to be read"


def held(stats: BrokerStats) -> int:
    """Return what bodies take."""
    return stats.held_bytes
