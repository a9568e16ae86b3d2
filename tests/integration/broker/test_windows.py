"""Windows that grow with what is held: nothing comes twice, or out of turn."""

from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.ports import Settlement
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
        await backend.send_all(numbered(500, start=1200))
        await eventually(lambda: len(mill.accepted) >= settings.prefetch, timeout_seconds=30)
        await eventually_depth(backend, queue, 500 - settings.prefetch)
        assert len(mill.accepted) == settings.prefetch
        assert broker.stats().settle_failures == 0
        assert consumer.is_consuming
    await eventually_depth(backend, queue, 500)
    assert await left(backend, queue, 500) == numbered(500, start=1200)


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
