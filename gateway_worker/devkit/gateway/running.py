"""Brings a gateway up on this machine, in order, and takes it down again."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.devkit.gateway.addresses import Addresses
from gateway_worker.devkit.harness import open_workers
from gateway_worker.devkit.services import LaunchOptions, Services, local_services
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.control.server import serve
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGateway:
    """What runs; all of it on loopback.

    Attributes:
        services: RabbitMQ, PostgreSQL, Redis and S3.
        sandbox: The server that speaks WhatsApp's protocol, in this process.
        control_url: Its control API, without a slash at the end.
        worker: The worker, not started yet.
    """

    services: Services
    sandbox: Sandbox
    control_url: str
    worker: WorkerProcess

    @property
    def addresses(self) -> Addresses:
        """Where a backend and its tests find it."""
        return Addresses(amqp_url=self.services.amqp_url, control_url=self.control_url)


@asynccontextmanager
async def local_gateway(
    options: LaunchOptions,
    *,
    worker_id: str,
    directory: Path,
    token: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[LocalGateway]:
    """Start services and sandbox; the worker is the caller's to start, and is stopped in the end.

    Args:
        options: How the services are started.
        worker_id: Name of the worker.
        directory: For the worker's data and log.
        token: What callers of the control API must show; None lets everyone on this machine in.
        settings: Further settings of the worker.

    Raises:
        ServicesError: A service did not start; the message says what to do.
    """
    key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    async with (
        local_services(options) as running,
        Sandbox.open(SandboxSettings()) as sandbox,
        serve(sandbox, token=token) as control_url,
        AsyncExitStack() as stack,
    ):
        options.announce("sandbox: speaks the WhatsApp protocol on loopback")
        direct = {**running.addresses.environment(), **sandbox.worker_env}
        keys = {"SNAPSHOT_KEYS": f"local:{key}"}
        workers = await stack.enter_async_context(
            open_workers({**direct, **keys, **(settings or {})}, directory=directory)
        )
        worker = workers.add(worker_id)
        try:
            yield LocalGateway(
                services=running.addresses, sandbox=sandbox, control_url=control_url, worker=worker
            )
        finally:
            await worker.stop()
