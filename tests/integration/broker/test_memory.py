"""What is too large to be read costs nobody its size, on a broker that lets it through."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import orjson
import pytest

from gateway_contracts import Topology
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.rabbitmq import LocalRabbitMq
from tests.support import reading_worker

MEBIBYTE = 1_048_576
COMMANDS, COMMAND_BYTES = 40, 8 * MEBIBYTE
CONTROL_BYTES = 15 * MEBIBYTE
MOST_GROWTH = 100 * MEBIBYTE
NO_LIMIT = (
    "application:set_env(rabbit, max_message_size, 134217728),"
    " persistent_term:put(max_message_size, 134217728)."
)


@asynccontextmanager
async def reading(url: str, prefix: str) -> AsyncIterator[int]:
    """Run a worker's consumer; gives its process id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", reading_worker.__name__),
        env={**os.environ, "AMQP_URL": url, "AMQP_PREFIX": prefix},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        await until(process.stdout, b"ready\n")
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def until(stream: asyncio.StreamReader, wanted: bytes) -> None:
    """Read lines until one is the wanted."""
    while (line := await stream.readline()) != wanted:
        assert line


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("exchange", ["commands", "internal"])
async def test_messages_that_are_too_large_are_refused_unread(
    own_services: RunningServices, topology_prefix: str, exchange: str
) -> None:
    """Peer messages and commands alike: a dead letter has its id, its size and its digest."""
    broker = own_services.rabbitmq
    assert isinstance(broker, LocalRabbitMq)
    await broker._control("await_startup")
    await broker._control("eval", NO_LIMIT)
    topology = Topology(prefix=topology_prefix)
    body = b'{"id": "c1"' + b" " * (COMMAND_BYTES - 11)
    control = b'{"session": "s1", "epoch": 1, "events": [' + b"[],[[[]]]," * (CONTROL_BYTES // 10)
    async with (
        reading(broker.url, topology_prefix) as pid,
        await aio_pika.connect(broker.url) as connection,
    ):
        before = peak_bytes(pid)
        channel = await connection.channel()
        target = await channel.get_exchange(getattr(topology, exchange), ensure=False)
        for number in range(COMMANDS):
            await target.publish(aio_pika.Message(body, message_id=f"c{number}"), "s1")
        late = aio_pika.Message(control, message_id="control", headers={"wa-control": "late"})
        await target.publish(late, "s1")
        letters = await dead_letters(channel, topology, COMMANDS + 1)
        growth = peak_bytes(pid) - before

    assert growth < MOST_GROWTH
    assert {letter.message_id for letter in letters} == {
        "control",
        *(f"c{number}" for number in range(COMMANDS)),
    }
    one = next(letter for letter in letters if letter.message_id == "c7")
    expected = {"wa-dead-bytes": len(body), "wa-dead-sha256": hashlib.sha256(body).hexdigest()}
    assert orjson.loads(one.body) == expected
    assert expected.items() <= dict(one.headers).items()


async def dead_letters(
    channel: aio_pika.abc.AbstractChannel, topology: Topology, count: int
) -> list[aio_pika.abc.AbstractIncomingMessage]:
    """Take so many dead letters."""
    arriving: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.get_queue(topology.dead_commands, ensure=False)
    await queue.consume(arriving.put, no_ack=True)
    return [await arriving.get() for _ in range(count)]
