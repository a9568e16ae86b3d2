"""A worker's consumer and dispatcher as a process of their own, whose memory can be measured.

Refuses everything that cannot be read, as the dispatcher does, and acknowledges the rest.
"""

import asyncio
import os
import sys

from pydantic import SecretStr

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.commands.ports import CommandSink, Delivery, Refusal, Settlement
from gateway_worker.commands.work import read_delivery

WORKER = "reader"
REFUSAL = Refusal(code="invalid_command", reason="it cannot be read")


class Sink(CommandSink):
    """Reads what comes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, delivery: Delivery) -> None:
        """Read a delivery and settle it."""
        _, content = read_delivery(delivery)
        is_bad = isinstance(content, Exception)
        settlement = Settlement.DEAD if is_bad else Settlement.ACK
        task = asyncio.create_task(delivery.settle(settlement, REFUSAL if is_bad else None))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    """Consume until standard input ends."""
    settings = BrokerSettings(
        url=SecretStr(os.environ["AMQP_URL"]), prefix=os.environ["AMQP_PREFIX"]
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    async with Broker.open(settings, worker_id=WORKER) as broker:
        await broker.bindings.bind("s1")
        consuming = asyncio.create_task(broker.consumer(Sink()).run(stop))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await consuming


if __name__ == "__main__":
    asyncio.run(main())
