"""Whoever reaches the probes' port takes the worker no descriptor, and writes it no log."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil
import pytest

from tests.e2e.harness import ADA, SHOP, Gateway
from tests.support.pacing import pace

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 200
FEW = 20
"""Less than wait in the kernel for a process that accepts none."""
FOR_PROBES_AND_A_HOST = 60
"""Descriptors: the probes' port takes 32 of them at most."""
FEW_LINES = 100
LONG_ENOUGH_SECONDS = 6.0
"""For every look that a worker takes by itself to have been due."""


@contextmanager
def descriptors(process: psutil.Process, spare: int) -> Iterator[None]:
    """Let a process open so many files more than it has open."""
    before = process.rlimit(psutil.RLIMIT_NOFILE)
    limit = process.num_fds() + spare
    process.rlimit(psutil.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, before)


@asynccontextmanager
async def silence(port: int, *, connections: int) -> AsyncIterator[None]:
    """Hold connections to the probes' port and say nothing."""
    needed = connections + 512
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= needed
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    try:
        yield
    finally:
        for _, writer in opened:
            writer.close()


def lines(gateway: Gateway) -> int:
    """Return how many lines the worker has logged."""
    return len(gateway.worker.log_path.read_bytes().splitlines())


async def test_silent_connections_stop_nothing(shared_gateway: Gateway) -> None:
    """A host starts and links, a send goes out, and the probes answer."""
    gateway = shared_gateway
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    with descriptors(gateway.worker.process, FOR_PROBES_AND_A_HOST):
        before = lines(gateway)
        async with silence(gateway.worker.probe_port, connections=MANY):
            await gateway.link("shop", shop)
            await gateway.send("shop", ADA, "hello")
            ready, _ = await gateway.worker.probe("/ready")

    assert ready == 200
    assert (await ada.next_message(timeout=30)).text == "hello"
    assert lines(gateway) - before < FEW_LINES


async def test_a_worker_without_a_descriptor_left_lives_on(shared_gateway: Gateway) -> None:
    """What needs one waits; measurements and looks go without; then all goes on."""
    gateway = shared_gateway
    sender = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link("first", sender)
    with descriptors(gateway.worker.process, 0):
        before = lines(gateway)
        async with silence(gateway.worker.probe_port, connections=FEW):
            await gateway.send("first", ada.number, "meanwhile")
            await pace(LONG_ENOUGH_SECONDS)
            grown = lines(gateway) - before

    await gateway.link("second", await gateway.sandbox.add_phone())

    assert [message.text for message in ada.inbox] == ["meanwhile"]
    assert grown < FEW_LINES
    assert await gateway.worker.is_ready()
