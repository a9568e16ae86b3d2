"""What the broker costs the worker: CPU of this process per message published, and consumed.

`./dev services exec .venv/bin/python -m tests.bench.broker [--messages N] [--rounds N]` publishes
events with confirms, 64 at a time, then takes as many commands and acknowledges each, by the
worker's own publisher and consumer on quorum queues. Prints microseconds of user and system time
per message, each round and the median; nothing else of a worker runs. With PYTHONPATH another
checkout can be measured in turn with this one.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable

import aio_pika
import uvloop

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.commands.ports import CommandSink, Delivery, Settlement
from gateway_worker.sessions.changes import OutboxRow

_AT_ONCE = 64
_WORKER = "bench"
_SESSION = "bench-session"
_BODY = json.dumps({"specversion": "1.0", "data": {"text": "x" * 900}}).encode()


class _Acknowledging(CommandSink):
    """A dispatcher that acknowledges all that comes, each in a task of its own."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._tasks: set[asyncio.Task[None]] = set()
        self.done = asyncio.Event()

    def accept(self, delivery: Delivery) -> None:
        """Take a command."""
        task = asyncio.create_task(self._settle(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, delivery: Delivery) -> None:
        await delivery.settle(Settlement.ACK)
        self._left -= 1
        if not self._left:
            self.done.set()


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [uvloop.run(_measure(arguments.messages)) for _ in range(arguments.rounds)]
    for name in rounds[0]:
        figures = [figure[name] for figure in rounds]
        each = " ".join(f"{figure:.0f}" for figure in figures)
        print(f"{name:<28} {statistics.median(figures):.0f} us   ({each})")
    return 0


async def _measure(count: int) -> dict[str, float]:
    settings = BrokerSettings.model_validate(
        {"url": os.environ["AMQP_URL"], "prefix": f"bench-{uuid.uuid4().hex[:8]}"}
    )
    try:
        async with Broker.open(settings, worker_id=_WORKER) as broker:
            await broker.bindings.bind(_SESSION)
            published = await _publish(broker, count)
            await _in_turn(
                count,
                lambda number: broker.publisher.publish_command(
                    _BODY, routing_key=_SESSION, message_id=f"command-{number}"
                ),
            )
            consumed = await _consume(broker, count)
    finally:
        await _remove(settings.topology)
    return {"publish_with_confirm": published, "consume_and_acknowledge": consumed}


async def _remove(topology: Topology) -> None:
    """Remove what was declared for a round."""
    async with await aio_pika.connect(os.environ["AMQP_URL"]) as connection:
        channel = await connection.channel()
        for queue in (*topology.queues(), topology.worker_queue_spec(_WORKER)):
            await channel.queue_delete(queue.name)
        for exchange in topology.exchanges():
            await channel.exchange_delete(exchange.name)


async def _publish(broker: Broker, count: int) -> float:
    rows = [
        OutboxRow(
            outbox_id=number,
            event_id=f"event-{number}",
            type="wa.message.received.v1",
            session_id=_SESSION,
            routing_key=f"message.received.{_SESSION}",
            body=_BODY,
        )
        for number in range(count)
    ]
    before = time.process_time()
    await _in_turn(count, lambda number: broker.publisher.publish(rows[number]))
    return (time.process_time() - before) / count * 1e6


async def _consume(broker: Broker, count: int) -> float:
    sink = _Acknowledging(count)
    stop = asyncio.Event()
    before = time.process_time()
    running = asyncio.create_task(broker.consumer(sink).run(stop))
    await sink.done.wait()
    used = time.process_time() - before
    stop.set()
    await running
    return used / count * 1e6


async def _in_turn(count: int, publish: Callable[[int], Awaitable[None]]) -> None:
    """Publish so many, a number of them at once."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await publish(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(some())


if __name__ == "__main__":
    sys.exit(main())
