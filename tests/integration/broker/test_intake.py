"""What a queue hands out in one go does not fill the memory: it is read as there is room."""

import asyncio

import pytest

from gateway_worker.broker import BrokerSettings, subscription
from gateway_worker.broker.stats import BrokerStats
from gateway_worker.commands.ports import Settlement
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
        broker._consuming.suspect("the test says so")
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


def held(stats: BrokerStats) -> int:
    """Return what bodies take."""
    return stats.held_bytes
