"""What the conversation needs, real and on loopback: services, sandbox, worker, backend."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.gateway.addresses import Addresses
from gateway_worker.devkit.gateway.running import local_gateway
from gateway_worker.devkit.services import LaunchOptions
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.sandbox import Sandbox

_NAME_BYTES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHarness:
    """What the story is played on."""

    addresses: Addresses
    sandbox: Sandbox
    worker: WorkerProcess
    backend: Backend
    name: str
    """Of worker and session: of this run only, so nothing of an earlier one is in its way."""


@asynccontextmanager
async def open_harness(
    directory: Path, announce: Callable[[str], None]
) -> AsyncIterator[DemoHarness]:
    """Bring everything up, in order, and take it down again.

    What services keep goes with them: it belongs to phones of this run, and perhaps to another
    release than the next one.

    Args:
        directory: For the worker's data and log.
        announce: Gets a line per step.
    """
    name = f"demo-{secrets.token_hex(_NAME_BYTES)}"
    options = LaunchOptions(announce=announce)
    async with (
        local_gateway(options, worker_id=name, directory=directory) as gateway,
        Backend.open(gateway.services.amqp_url, name="demo") as backend,
    ):
        await gateway.worker.start()
        announce("worker: ready")
        try:
            yield DemoHarness(
                addresses=gateway.addresses,
                sandbox=gateway.sandbox,
                worker=gateway.worker,
                backend=backend,
                name=name,
            )
        finally:
            await gateway.worker.stop()  # while the backend can still see it leave
