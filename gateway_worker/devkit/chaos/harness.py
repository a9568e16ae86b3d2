"""Brings up all that a run needs, private to it: services, links, sandbox, backend, workers."""

import asyncio
import base64
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from gateway_contracts import SessionCreate, SessionQr, SessionState, SessionStatus
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.chaos.contents import put_files
from gateway_worker.devkit.chaos.event_recorder import EventRecorder, SessionSetup
from gateway_worker.devkit.chaos.fleet import Fleet, ManagedWorker
from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.labelled_files import LabelledFiles, open_labelled_files
from gateway_worker.devkit.chaos.options import Options
from gateway_worker.devkit.chaos.output import Output
from gateway_worker.devkit.chaos.plan import Topology
from gateway_worker.devkit.chaos.rooms import Rooms, open_rooms
from gateway_worker.devkit.chaos.service_faults import Links
from gateway_worker.devkit.harness import BackendOptions, Gateway, open_gateway
from gateway_worker.devkit.proxies import HostProxies
from gateway_worker.devkit.sandbox_process import SandboxProcess
from gateway_worker.devkit.services import LaunchOptions, RunningServices, local_services
from gateway_worker.devkit.services.loopback import LOOPBACK

Announce = Callable[[str], None]

NAME: Final = "chaos"
LINK_AT_ONCE: Final = 4
LINK_SECONDS: Final = 90.0
_VARIABLES: Final = {
    "rabbitmq": "AMQP_URL",
    "postgres": "DATABASE_URL",
    "redis": "REDIS_URL",
    "s3": "S3_ENDPOINT_URL",
    "whatsapp": "SANDBOX_PROXY_URL",
}
_PREFIX: Final = "gateway-chaos-"
_PASSABLE: Final = 0o711  # PostgreSQL's own user passes through
_IMPATIENT: Final = {
    "AMQP_HEARTBEAT_SECONDS": "5",
    "AMQP_RECONNECT_MAXIMUM_SECONDS": "2",
    "AMQP_UPKEEP_INTERVAL_SECONDS": "2",
    "AMQP_WAIT_FOR_BROKER": "true",
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": "3",
    "DATABASE_ANSWER_TIMEOUT_SECONDS": "4",
    "LOG_FORMAT": "json",
}
"""Faults come every few seconds, so what notices them may not take a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosHarness:
    """Everything that plays a part; the sessions are linked and connected.

    Attributes:
        rooms: By session.
    """

    services: RunningServices
    sandbox: SandboxProcess
    links: Links
    fleet: Fleet
    backend: Backend
    setups: tuple[SessionSetup, ...]
    rooms: Mapping[str, Rooms]
    files: LabelledFiles
    recorder: EventRecorder
    journal: Journal


@asynccontextmanager
async def open_harness(
    options: Options, directory: Path, announce: Announce, *, python: Path | None = None
) -> AsyncIterator[ChaosHarness]:
    """Bring everything up, in order, and take it down again.

    Args:
        options: How many workers and sessions.
        directory: For logs and data.
        announce: Gets one line per step.
        python: Whose code the workers begin with; this one's by default.

    Raises:
        ServicesError: A service, the sandbox or a worker does not start.
        TimeoutError: A session cannot be linked.
    """
    journal = Journal(path=directory / "faults.jsonl")
    async with AsyncExitStack() as stack:
        place = stack.enter_context(_service_directory(directory))
        services = await stack.enter_async_context(
            local_services(_launch(options, place, announce))
        )
        await put_files(services.s3.settings)
        files = await stack.enter_async_context(open_labelled_files())
        sandbox = await stack.enter_async_context(SandboxProcess.start(directory / "sandbox"))
        direct = {**services.addresses.environment(), **sandbox.worker_env}
        names = [f"{NAME}-{place}" for place in range(options.plan.workers)]
        links = {name: await _open_links(stack, direct) for name in names}
        gateway = await stack.enter_async_context(
            open_gateway(
                direct,
                sandbox,
                names,
                _settings(options),
                directory=directory,
                reroute=partial(_over, links),
                backend=BackendOptions(name=NAME, durable=True),
            )
        )
        backend = gateway.backend
        setup = _setups(options.plan.sessions)
        recorder = EventRecorder(
            backend=backend,
            phones=sandbox.client,
            setups=setup,
            files=files,
            path=directory / "events.jsonl",
        )
        stack.callback(recorder.close)
        workers = _managed(stack, gateway, directory, journal)
        for worker in workers:
            worker.process.python = python or worker.process.python
        fleet = await stack.enter_async_context(Fleet.open(workers))
        announce(f"workers: {len(workers)} ready")
        await _link_all(backend, sandbox, setup)
        rooms = {one.session_id: await open_rooms(sandbox.client, one) for one in setup}
        announce(f"sessions: {len(setup)} connected")
        yield ChaosHarness(
            services=services,
            sandbox=sandbox,
            links=tuple(links.values()),
            fleet=fleet,
            backend=backend,
            setups=setup,
            rooms=rooms,
            files=files,
            recorder=recorder,
            journal=journal,
        )


@contextmanager
def _service_directory(directory: Path) -> Iterator[Path]:
    """Give the services a place of their own; of what they leave, only the logs are kept."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(_PASSABLE)
        try:
            yield place
        finally:
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(place / "log", directory / "services", dirs_exist_ok=True)


def _launch(options: Options, place: Path, announce: Announce) -> LaunchOptions:
    """Services of our own, whatever the environment names: they are going to be killed."""
    mode = {name: os.environ[name] for name in ("WA_SERVICES",) if name in os.environ}
    return LaunchOptions(
        data_directory=place,
        environment=mode,
        announce=announce,
        clustered=options.plan.topology is Topology.HA,
    )


async def _open_links(
    stack: AsyncExitStack, environment: Mapping[str, str]
) -> dict[str, HostProxies]:
    return {
        name: await stack.enter_async_context(HostProxies.to(environment[variable]))
        for name, variable in _VARIABLES.items()
    }


def _settings(options: Options) -> dict[str, str]:
    return {
        **_IMPATIENT,
        "SNAPSHOT_KEYS": f"{NAME}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "LEASE_SECONDS": f"{options.plan.lease_seconds:g}",
        "CAPACITY": str(options.plan.sessions),
        "MEDIA_URL_PRIVATE_HOSTS": f"http://{LOOPBACK}",
        "PACING_PROFILE": "off",
        # Queues that have lost their leader refuse until they have another one
        "AMQP_FULL_QUEUE_PATIENCE_SECONDS": "5" if _is_single(options) else "60",
    }


def _is_single(options: Options) -> bool:
    return options.plan.topology is Topology.SINGLE


def _over(
    links: Mapping[str, Mapping[str, HostProxies]], worker_id: str, direct: Mapping[str, str]
) -> dict[str, str]:
    """Return a worker's settings, which lead over links of its own."""
    own = links[worker_id]
    return {
        **direct,
        **{
            variable: own[service].url(direct[variable]) for service, variable in _VARIABLES.items()
        },
    }


def _managed(
    stack: AsyncExitStack, gateway: Gateway, directory: Path, journal: Journal
) -> list[ManagedWorker]:
    """Read what each worker prints, and keep it running."""
    workers = []
    for name, process in gateway.workers.items():
        output = stack.enter_context(Output.open(process.log_path, directory / name / "output.log"))
        workers.append(ManagedWorker(process=process, output=output, journal=journal))
    return workers


def _setups(sessions: int) -> tuple[SessionSetup, ...]:
    return tuple(
        SessionSetup(
            session_id=f"s{place:03}",
            account=f"1202555{place:04}",
            reader=f"1202556{place:04}",
            writer=f"1202557{place:04}",
            guest=f"1202558{place:04}",
        )
        for place in range(sessions)
    )


async def _link_all(
    backend: Backend, sandbox: SandboxProcess, setups: Sequence[SessionSetup]
) -> None:
    """Create the sessions and the phones, scan every code, wait until all are connected."""
    gate = asyncio.Semaphore(LINK_AT_ONCE)

    async def link(one: SessionSetup) -> None:
        async with gate:
            for number in one.phones:
                await sandbox.client.add_phone(number)
            await backend.publish(SessionCreate(source=backend.source, subject=one.session_id))
            qr = await backend.expect(SessionQr, one.session_id, seconds=LINK_SECONDS)
            await sandbox.client.scan(one.account, qr.data.code)
            await backend.expect(
                SessionStatus,
                one.session_id,
                lambda event: event.data.state is SessionState.CONNECTED,
                seconds=LINK_SECONDS,
            )

    await asyncio.gather(*(link(one) for one in setups))
