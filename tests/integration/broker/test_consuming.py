"""Commands through a broken connection: each executed once, in order, none left behind."""

import asyncio

from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.ports import Delivery, Settlement
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    consuming,
    executed_twice,
    out_of_order,
)
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy

COMMANDS = 5_000
SESSIONS = 32
KILLS = 12


async def test_each_command_is_executed_once_and_in_order_over_lost_connections(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """Connections that are reset again and again neither lose, double nor reorder a command."""
    sessions = [f"s{number}" for number in range(SESSIONS)]
    bodies = [f"{sessions[number % SESSIONS]} {number}" for number in range(COMMANDS)]

    async def work(delivery: Delivery) -> None:
        await asyncio.sleep(0)
        await delivery.settle(Settlement.ACK)

    mill = Mill(work)
    async with consuming(settings, mill, *sessions) as (broker, consumer):
        await backend.send_all(bodies[:1000])
        sending = asyncio.create_task(backend.send_all(bodies[1000:]))
        for kill in range(1, KILLS + 1):
            threshold = kill * COMMANDS // (KILLS + 2)
            await eventually(lambda at=threshold: len(mill.executed) >= at, timeout_seconds=30)
            await proxy.cut()
        await sending
        await eventually(lambda: len(mill.executed) >= COMMANDS, timeout_seconds=30)
        await eventually(lambda: consumer.in_flight == 0 and broker.check().ready)

        assert broker.stats().reconnects >= KILLS
        assert executed_twice(mill.executed) == []
        assert out_of_order(mill.executed) == []
        assert sorted(mill.executed) == sorted(bodies)
    assert await backend.depth(settings.topology.worker_queue(WORKER)) == 0
    assert await backend.depth(settings.topology.dead_commands) == 0
