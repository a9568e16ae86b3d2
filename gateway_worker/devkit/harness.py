"""A gateway on this machine: workers as processes, and a backend that talks to them.

Whoever needs workers gets them here: demo, chaos, `./dev run --sandbox` and with it the pytest
plugin, the tests and the benches. Services and the sandbox are the caller's, who may put links
between them and a worker; what a worker is told about them is settings, by the names of its
environment variables.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway_contracts import Topology
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.services.loopback import PortBook
from gateway_worker.devkit.worker import WorkerProcess

Settings = Mapping[str, str]
Reroute = Callable[[str, Settings], Settings]
"""Given a worker's id and the settings of all, returns the worker's own."""


def straight(_worker_id: str, settings: Settings) -> Settings:
    """Put nothing between a worker and what it needs."""
    return settings


class SimulatedWhatsApp(Protocol):
    """A sandbox, in this process or another."""

    @property
    def worker_env(self) -> Settings:
        """The settings that point a worker at it."""


class Workers:
    """Makes workers, each with a port and a directory of its own; made by `open_workers`.

    Args:
        directory: Each worker has a directory in here, by its id.
        settings: Of all of them.
        ports: Where their probes' ports come from.
    """

    def __init__(self, *, directory: Path, settings: Settings, ports: PortBook) -> None:
        self._directory = directory
        self._settings = settings
        self._ports = ports
        self.all: dict[str, WorkerProcess] = {}

    def add(self, worker_id: str, settings: Settings | None = None) -> WorkerProcess:
        """Return another worker, not started; `settings` go before those of all."""
        worker = WorkerProcess(
            worker_id=worker_id,
            directory=self._directory / worker_id,
            health_port=self._ports.take([worker_id], wished={})[worker_id],
            environment={**self._settings, **(settings or {})},
        )
        self.all[worker_id] = worker
        return worker


@asynccontextmanager
async def open_workers(settings: Settings, *, directory: Path) -> AsyncIterator[Workers]:
    """Yield a maker of workers; those that still run in the end are killed with their hosts."""
    ports = PortBook()
    workers = Workers(directory=directory, settings=settings, ports=ports)
    try:
        yield workers
    finally:
        await asyncio.gather(*(worker.kill() for worker in workers.all.values()))
        ports.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """How the backend connects; see `Backend.open`."""

    name: str = "backend"
    durable: bool = False
    wanted: Sequence[str] = ("#",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Workers on the same services, and a backend that listens since before their start.

    Attributes:
        workers: By their ids, in the order in which they were asked for.
        backend: Connected to the broker itself, whatever lies between it and the workers.
        settings: Lead straight to services and sandbox.
    """

    workers: Mapping[str, WorkerProcess]
    backend: Backend
    settings: Settings

    @property
    def worker(self) -> WorkerProcess:
        """The first worker, where there is only one."""
        return next(iter(self.workers.values()))

    async def start(self) -> None:
        """Start all workers at once; returns when all are ready.

        Raises:
            ServiceStartError: One of them ended or did not become ready.
        """
        await asyncio.gather(*(worker.start() for worker in self.workers.values()))


@asynccontextmanager
async def open_gateway(
    services: Settings,
    sandbox: SimulatedWhatsApp,
    workers: Sequence[str],
    settings: Settings | None = None,
    *,
    directory: Path,
    reroute: Reroute = straight,
    backend: BackendOptions | None = None,
) -> AsyncIterator[Gateway]:
    """Connect a backend and make workers, which the caller starts; they are killed in the end.

    Args:
        services: Lead to RabbitMQ, PostgreSQL, Redis and S3.
        sandbox: The WhatsApp that they connect to.
        workers: Their ids.
        settings: Further settings of all of them.
        directory: For their data and logs.
        reroute: Puts links between a worker and what it needs.
        backend: How the backend connects.
    """
    direct = {**services, **sandbox.worker_env, **(settings or {})}
    options = backend or BackendOptions()
    topology = Topology(prefix=direct["AMQP_PREFIX"]) if "AMQP_PREFIX" in direct else Topology()
    async with (
        open_workers(direct, directory=directory) as made,
        Backend.open(
            direct["AMQP_URL"],
            topology=topology,
            name=options.name,
            durable=options.durable,
            wanted=options.wanted,
        ) as connected,
    ):
        for worker_id in workers:
            made.add(worker_id, reroute(worker_id, direct))
        try:
            yield Gateway(workers=made.all, backend=connected, settings=direct)
        finally:  # before the backend goes: what they publish has somewhere to go
            await asyncio.gather(*(worker.kill() for worker in made.all.values()))
