"""What the conversation needs, real and on loopback: services, sandbox, worker, backend."""

import base64
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.services import LaunchOptions, Services, local_services
from gateway_worker.devkit.services.loopback import PortBook
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings

_NAME_BYTES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the story is played on."""

    services: Services
    sandbox: Sandbox
    worker: WorkerProcess
    backend: Backend
    name: str
    """Of worker and session: of this run only, so nothing of an earlier one is in its way."""


@asynccontextmanager
async def stage(directory: Path, announce: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Bring everything up, in order, and take it down again."""
    options = LaunchOptions(data_directory=directory, announce=announce)
    ports = PortBook()
    name = f"demo-{secrets.token_hex(_NAME_BYTES)}"
    async with local_services(options) as running, Sandbox.open(SandboxSettings()) as sandbox:
        announce("sandbox: speaks the WhatsApp protocol on loopback")
        worker = WorkerProcess(
            worker_id=name,
            directory=directory / "demo",
            health_port=ports.take(["health"], wished={})["health"],
            environment={
                **running.addresses.environment(),
                **sandbox.worker_env,
                "SNAPSHOT_KEYS": f"demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            },
        )
        async with Backend.open(running.addresses.amqp_url, name="demo") as backend:
            try:
                await worker.start()
                announce("worker: ready")
                yield Stage(
                    services=running.addresses,
                    sandbox=sandbox,
                    worker=worker,
                    backend=backend,
                    name=name,
                )
            finally:
                await worker.stop()
                ports.close()
