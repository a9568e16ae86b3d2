"""A worker whose output nobody reads works, is watched and can be stopped."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway_contracts import Topology
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.services.loopback import PortBook
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import ADA, SHOP, Gateway


@pytest.fixture
async def gateway(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A gateway whose stdout and stderr are one pipe, and that is full before it starts."""
    ports = PortBook()
    settings = {**environment, **sandbox.worker_env}
    worker = WorkerProcess(
        worker_id="unread",
        directory=tmp_path,
        health_port=ports.take(["health"], wished={})["health"],
        environment=settings,
    )
    os.mkfifo(worker.log_path)
    pipe = os.open(worker.log_path, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4096)
    topology = Topology(prefix=environment["AMQP_PREFIX"])
    async with Backend.open(environment["AMQP_URL"], topology=topology, name="e2e") as backend:
        try:
            await worker.start()
            yield Gateway(worker=worker, backend=backend, sandbox=sandbox, environment=settings)
        finally:
            await worker.kill()
            ports.close()
            os.close(pipe)


async def test_a_pipe_that_nobody_reads_stops_nothing(gateway: Gateway) -> None:
    """Sessions link and send, probes answer, lines are counted, and a signal ends it in order."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    for number in range(30):
        await gateway.send("shop", ADA, f"text {number}")
    assert (await ada.next_message(timeout=10)).text == "text 0"
    assert (await gateway.worker.probe("/live"))[0] == 200
    assert (await gateway.worker.probe("/ready"))[0] == 200
    assert await gateway.worker.leave() == 0
