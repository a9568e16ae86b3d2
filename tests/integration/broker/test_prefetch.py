"""Windows that grow with what is held: nothing comes twice, or out of turn."""

import asyncio

from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.ports import Delivery, Settlement
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    bodies,
    consuming,
    eventually_depth,
    hold,
    left,
    numbered,
)
from tests.support.eventually import eventually
from tests.support.pacing import consistently, pace


async def test_a_window_that_widens_lets_everything_past_what_is_held(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A thousand held, none of them redelivered, all settled on the channel that brought them."""
    queue = settings.topology.worker_queue(WORKER)
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send_all(numbered(1200))
        while len(mill.accepted) < 1000:
            held = len(mill.accepted)
            consumer.widen(held)
            await eventually(lambda: len(mill.accepted) > held, timeout_seconds=30)  # noqa: B023
        assert len(mill.accepted) < 1200 + 1
        consumer.widen(1200)
        await eventually(lambda: len(mill.accepted) == 1200, timeout_seconds=30)
        assert bodies(mill.accepted) == numbered(1200)
        assert not any(delivery.redelivered for delivery in mill.accepted)
        for delivery in mill.accepted:
            await delivery.settle(Settlement.ACK)
        consumer.widen(0)
        mill.accepted.clear()
        await backend.send_all(numbered(4000, start=1200))
        come = await come_to_rest(mill)
        assert settings.prefetch < come < 4000, "it is wide until it has been full once"
        for delivery in mill.accepted:
            await delivery.settle(Settlement.ACK)
        mill.accepted.clear()
        assert await come_to_rest(mill) == settings.prefetch
        assert broker.stats().settle_failures == 0
        assert consumer.is_consuming
    rest = 4000 - come
    await eventually_depth(backend, queue, rest)
    assert await left(backend, queue, rest) == numbered(rest, start=1200 + come)


async def come_to_rest(mill: Mill) -> int:
    """Return how many deliveries have come when no more come."""

    async def at_rest() -> int:
        come = len(mill.accepted)
        await consistently(lambda: len(mill.accepted) == come, seconds=0.5)
        return come

    return await eventually(at_rest)


async def test_what_several_windows_held_goes_back_in_order(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Several consumers have it in hand then; a crash must not mix their parts."""
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (_, consumer):
        await backend.send_all(numbered(3000))
        while len(mill.accepted) < 3000:
            held = len(mill.accepted)
            consumer.widen(held)
            await eventually(lambda: len(mill.accepted) > held)  # noqa: B023
    queue = settings.topology.worker_queue(WORKER)
    await eventually_depth(backend, queue, 3000)
    assert await left(backend, queue, 3000) == numbered(3000)


async def test_a_window_widens_as_soon_as_nobody_else_can_be_in_line(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Until then what is in hand stays there, and nothing more comes."""
    mill, is_alone = Mill(hold), asyncio.Event()
    async with consuming(settings, mill, "s1", is_alone=is_alone.is_set) as (_, consumer):
        await backend.send_all(numbered(200))
        await eventually(lambda: len(mill.accepted) == settings.prefetch)
        consumer.widen(200)
        assert await come_to_rest(mill) == settings.prefetch
        is_alone.set()
        await eventually(lambda: len(mill.accepted) == 200)
        assert bodies(mill.accepted) == numbered(200)
        assert not any(delivery.redelivered for delivery in mill.accepted)


async def test_a_window_that_may_not_be_widened_any_more_gives_everything_back(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Others came while the broker was asked: they, or this worker, get all of it in order."""
    mill, looks = Mill(hold), [True, False]
    async with consuming(
        settings, mill, "s1", is_alone=lambda: looks.pop(0) if looks else True
    ) as (broker, consumer):
        await backend.send_all(numbered(200))
        await eventually(lambda: len(mill.accepted) == settings.prefetch)
        consumer.widen(200)
        await eventually(lambda: len(mill.accepted) == 200)
        assert not looks
        assert bodies(mill.accepted) == numbered(200)
        assert broker.stats().reattached >= settings.prefetch


async def acknowledge_later(delivery: Delivery) -> None:
    """Be done with a command soon, not at once, so that there is always one on its way."""
    await pace(0.002)
    await delivery.settle(Settlement.ACK)


async def acknowledge_others(delivery: Delivery) -> None:
    """Hold the commands of one session, and be done with those of another."""
    if delivery.routing_key != "s1":
        await delivery.settle(Settlement.ACK)


async def test_what_is_on_its_way_when_a_window_changes_keeps_its_place(
    settings: BrokerSettings, backend: Backend
) -> None:
    """What was sent to a consumer that is cancelled would come after what follows."""
    mill = Mill(acknowledge_others)
    numbers = [f"s{1 + number % 2} {number}" for number in range(3000)]
    async with consuming(settings, mill, "s1", "s2") as (_, consumer):
        sending = asyncio.create_task(backend.send_all(numbers, at_once=10, pause_seconds=0.01))
        while len(mill.accepted) < len(numbers):
            consumer.widen(sum(one.routing_key == "s1" for one in mill.accepted))
            await pace(0.01)
        await sending
        assert bodies(mill.accepted) == numbers
        assert not any(delivery.redelivered for delivery in mill.accepted)


async def test_a_pause_keeps_what_is_on_its_way_in_its_place(
    settings: BrokerSettings, backend: Backend
) -> None:
    """However often there is one, while commands stream in."""
    mill = Mill(acknowledge_later)
    numbers = numbered(1500)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        sending = asyncio.create_task(backend.send_all(numbers, at_once=5, pause_seconds=0.01))
        while not sending.done():
            consumer.pause()
            await pace(0.01)
            consumer.resume()
            await pace(0.03)
        await sending
        await eventually(lambda: len(mill.executed) == len(numbers), timeout_seconds=30)
        assert mill.executed == numbers
        assert not any(delivery.redelivered for delivery in mill.accepted)
        assert broker.stats().settle_failures == 0
