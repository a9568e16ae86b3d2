"""A worker whose output nobody reads works, is watched and can be stopped."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import ADA, SHOP, Gateway, open_gateway


@pytest.fixture
async def gateway(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A gateway whose stdout and stderr are one pipe, and that is full before it starts."""
    async with open_gateway(sandbox, environment, tmp_path, started=False) as gateway:
        gateway.worker.log_path.parent.mkdir()
        os.mkfifo(gateway.worker.log_path)
        pipe = os.open(gateway.worker.log_path, os.O_RDWR | os.O_NONBLOCK)
        try:
            with suppress(BlockingIOError):
                while True:
                    os.write(pipe, b"x" * 4096)
            await gateway.worker.start()
            yield gateway
        finally:
            os.close(pipe)


async def test_a_pipe_that_nobody_reads_stops_nothing(gateway: Gateway) -> None:
    """Sessions link and send, probes answer, lines are counted, and a signal ends it in order."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    for number in range(30):
        await gateway.send("shop", ADA, f"text {number}")
    assert (await ada.next_message(timeout=30)).text == "text 0"
    assert (await gateway.worker.probe("/live"))[0] == 200
    assert (await gateway.worker.probe("/ready"))[0] == 200
    assert await gateway.worker.leave() == 0
