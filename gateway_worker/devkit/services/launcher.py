"""Chooses a source for each service, starts all at once, and stops what it started."""

import asyncio
import enum
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.devkit.services import state
from gateway_worker.devkit.services.containers import container_services, engine_refusal
from gateway_worker.devkit.services.errors import ServicesError
from gateway_worker.devkit.services.external import GivenServices, given_services, services_at
from gateway_worker.devkit.services.ports import ServiceHandle
from gateway_worker.devkit.services.postgres import LocalPostgres
from gateway_worker.devkit.services.postgres_pair import PostgresPair
from gateway_worker.devkit.services.rabbitmq import LocalRabbitMq
from gateway_worker.devkit.services.rabbitmq_cluster import RabbitMqCluster
from gateway_worker.devkit.services.running import RunningServices
from gateway_worker.devkit.services.seaweedfs import LocalSeaweedFs
from gateway_worker.devkit.services.valkey import LocalValkey
from gateway_worker.devkit.services.values import Source
from gateway_worker.devkit.services.workspace import Workspace

Announce = Callable[[str], None]

THROW_AWAY_PREFIX = "gateway-worker-services-"
ABANDONED_AFTER_SECONDS = 60.0  # an owner that has just begun may not hold its lock yet
PASSABLE = 0o711  # PostgreSQL's user must get through; the files inside are private on their own


class Mode(enum.StrEnum):
    """What may be used for services that the environment does not name (WA_SERVICES)."""

    AUTO = "auto"
    DOCKER = "docker"
    LOCAL = "local"


def announce_on_stderr(line: str) -> None:
    """Print a progress line where it does not mix with a program's output."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """What to start and where.

    Attributes:
        data_directory: Data is kept there, synced to disk. None: a throw-away directory and speed.
        environment: Where explicit URLs and WA_SERVICES are looked up; None: the process's own.
        variable_prefix: Put before each URL variable's name (`WA_TEST_` in tests).
        keep: Leave a throw-away directory on disk, for looking at logs.
        announce: Gets one line per step.
        clustered: RabbitMQ of several nodes and PostgreSQL with a standby, as private processes.
    """

    data_directory: Path | None = None
    environment: Mapping[str, str] | None = None
    variable_prefix: str = ""
    keep: bool = False
    announce: Announce = announce_on_stderr
    clustered: bool = False

    @property
    def variables(self) -> Mapping[str, str]:
        """Where settings are looked up."""
        return os.environ if self.environment is None else self.environment

    @property
    def mode(self) -> Mode:
        """The wished mode; raises ServicesError for an unknown one."""
        wish = self.variables.get("WA_SERVICES") or Mode.AUTO
        try:
            return Mode(wish)
        except ValueError:
            raise ServicesError(
                f"WA_SERVICES is {wish!r}; it may be auto, docker or local"
            ) from None


@asynccontextmanager
async def local_services(options: LaunchOptions | None = None) -> AsyncIterator[RunningServices]:
    """Start what is needed, yield the running set, stop what was started.

    Services that `./dev services up` keeps running in the same data directory are used as they are.
    Must be entered in a thread that outlives the services (see `process.Child`).

    Raises:
        ServiceUnavailableError: a service has no source; the message names what to install.
        ServiceStartError: a service did not become ready; the message ends with its last output.
        ServicesError: another launcher uses the data directory, or a variable is wrong.
    """
    options = options or LaunchOptions()
    given = given_services(options.variables, prefix=options.variable_prefix)
    async with AsyncExitStack() as stack:
        others = _kept_running(options) or await _started(given, options, stack)
        yield given.over(others)


def _kept_running(options: LaunchOptions) -> RunningServices | None:
    """Return the set that a supervisor keeps in our data directory, if there is one."""
    if options.data_directory is None:
        return None
    found = state.published(options.data_directory)
    if found is None or found.services is None:
        return None
    options.announce(f"services: those of `./dev services up` (process {found.pid})")
    return services_at(found.services)


async def _started(
    given: GivenServices, options: LaunchOptions, stack: AsyncExitStack
) -> RunningServices:
    """Start the services that are missing, by Docker where that works, else as processes."""
    for name in ("rabbitmq", "postgres", "redis", "s3"):
        if name not in given.missing:
            options.announce(f"services: {name} is given by the environment")
    place = stack.enter_context(workspace(options))
    if options.clustered:
        return await _up(clustered_services(place), given, options, stack)
    if await _use_docker(given, options):
        try:
            return await _up(container_services(place), given, options, stack)
        except ServicesError as error:
            if options.mode is Mode.DOCKER:
                raise
            options.announce(f"services: Docker did not do it ({error}); trying processes")
    return await _up(process_services(place), given, options, stack)


async def _use_docker(given: GivenServices, options: LaunchOptions) -> bool:
    if options.mode is Mode.LOCAL or not given.missing:
        return False
    refusal = await asyncio.to_thread(engine_refusal)
    if refusal is None:
        return True
    if options.mode is Mode.DOCKER:
        raise ServicesError(f"WA_SERVICES=docker, and no Docker engine answers: {refusal}")
    options.announce("services: no Docker engine answers, so private processes on loopback")
    return False


def process_services(workspace: Workspace) -> RunningServices:
    """Return the set of private processes, not started."""
    return RunningServices(
        rabbitmq=LocalRabbitMq(workspace=workspace),
        postgres=LocalPostgres(workspace=workspace),
        redis=LocalValkey(workspace=workspace),
        s3=LocalSeaweedFs(workspace=workspace),
    )


def clustered_services(workspace: Workspace) -> RunningServices:
    """Return the set in which single nodes of broker and database can be lost, not started."""
    return RunningServices(
        rabbitmq=RabbitMqCluster(workspace=workspace),
        postgres=PostgresPair(workspace=workspace),
        redis=LocalValkey(workspace=workspace),
        s3=LocalSeaweedFs(workspace=workspace),
    )


async def _up(
    candidates: RunningServices,
    given: GivenServices,
    options: LaunchOptions,
    stack: AsyncExitStack,
) -> RunningServices:
    needed = [handle for handle in candidates if handle.name in given.missing]
    async with AsyncExitStack() as attempt:
        attempt.push_async_callback(_stop_all, needed)
        await _start_all(needed, options.announce)
        stack.push_async_exit(attempt.pop_all())
    return candidates


async def _start_all(handles: Sequence[ServiceHandle], announce: Announce) -> None:
    """Start all at once; the first failure stops the other starts and is raised alone."""

    async def start(handle: ServiceHandle) -> None:
        began = time.monotonic()
        await handle.start()
        how = "in Docker" if handle.source is Source.DOCKER else "as a process"
        announce(f"services: {handle.name} ready {how} after {time.monotonic() - began:.1f} s")

    try:
        async with asyncio.TaskGroup() as group:
            for handle in handles:
                group.create_task(start(handle), name=f"start {handle.name}")
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures


async def _stop_all(handles: Sequence[ServiceHandle]) -> None:
    await asyncio.gather(*(handle.discard() for handle in handles))


@contextmanager
def workspace(options: LaunchOptions) -> Iterator[Workspace]:
    """Hold the data directory, or a throw-away one, for services that run inside the block."""
    is_durable = options.data_directory is not None
    root = options.data_directory.resolve() if options.data_directory else _throw_away()
    with state.exclusive(root):
        place = Workspace(root=root, is_durable=is_durable)
        try:
            yield place
        finally:
            place.ports.close()
            if options.keep:
                options.announce(f"services: kept {root}")
            elif not is_durable:
                place.discard()


def _throw_away() -> Path:
    """Make a new throw-away directory, and delete old ones whose owner was killed."""
    for old in Path(tempfile.gettempdir()).glob(f"{THROW_AWAY_PREFIX}*"):
        if _is_abandoned(old):
            Workspace(root=old, is_durable=False).discard()
    root = Path(tempfile.mkdtemp(prefix=THROW_AWAY_PREFIX))
    root.chmod(PASSABLE)
    return root


def _is_abandoned(root: Path) -> bool:
    try:
        lock = (root / state.LOCK).stat()
    except OSError:
        return False  # not there yet, or not there any more
    is_old = time.time() - lock.st_mtime > ABANDONED_AFTER_SECONDS
    return is_old and lock.st_uid == os.geteuid() and not state.is_in_use(root)
