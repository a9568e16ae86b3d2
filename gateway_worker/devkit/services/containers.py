"""The same four services as containers, for machines where a Docker engine answers.

testcontainers runs them, because its companion container removes everything when this process dies,
however it dies. Ports are published on loopback only and stay the same over a restart of a
container; readiness is asked with the same probes as for private processes. The image tags are
those of compose.yaml.
"""

import asyncio
import gc
import hashlib
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gateway_worker.devkit.services import probes
from gateway_worker.devkit.services.buckets import bucket_exists
from gateway_worker.devkit.services.errors import ServiceControlError, ServiceStartError
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import PROBE_INTERVAL_SECONDS, Probe
from gateway_worker.devkit.services.running import RunningServices
from gateway_worker.devkit.services.values import ObjectStore, Source
from gateway_worker.devkit.services.workspace import BUCKET, DATABASE, REGION, USER, Workspace

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

RABBITMQ_IMAGE = "rabbitmq:4.1"
POSTGRES_IMAGE = "postgres:18"
REDIS_IMAGE = "valkey/valkey:8.1"
S3_IMAGE = "chrislusf/seaweedfs:4.48"

READY_TIMEOUT_SECONDS = 120.0
PING_TIMEOUT_SECONDS = 2


def engine_refusal() -> str | None:
    """Return why no Docker engine can be used, or None when one answers. Blocks up to 2 s."""
    with warnings.catch_warnings():
        # Docker's client leaves the socket that it could not connect for the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        refusal = _ping()
        gc.collect()
    return refusal


def _ping() -> str | None:
    try:
        # Imported here: a third of a second that only the search for an engine needs to pay
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

        DockerClient(timeout=PING_TIMEOUT_SECONDS).client.ping()
    except Exception as error:  # noqa: BLE001 - every way of not answering means the same here
        return f"{type(error).__name__}: {error}"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to run one service as a container.

    Attributes:
        image: Image with a tag.
        port: The port it listens on inside.
        data_path: Where it keeps what a named volume should hold.
        environment: Variables of the container.
        command: Arguments, None for the image's own.
        options: Further arguments of the engine's `create`.
    """

    image: str
    port: int
    data_path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class ContainerService:
    """One service in one container, published on a loopback port that never changes."""

    source = Source.DOCKER

    def __init__(
        self,
        *,
        name: str,
        recipe: Recipe,
        workspace: Workspace,
        url: Callable[[int], str],
        probe: Callable[[int], Probe],
    ) -> None:
        self._name = name
        self._recipe = recipe
        self._workspace = workspace
        self._make_url = url
        self._make_probe = probe
        self._port = 0
        self._container: DockerContainer | None = None

    @property
    def name(self) -> str:
        """Which of the four it is."""
        return self._name

    @property
    def url(self) -> str:
        """Address on loopback."""
        return self._make_url(self._port)

    async def start(self) -> None:
        """Create or restart the container and wait until the service answers."""
        try:
            if self._container is None:
                await asyncio.to_thread(self._create)
            else:
                await self._engine("start")
        except Exception as error:  # the client's own, its HTTP library's, the system's
            raise ServiceStartError(f"{self._name}: {self._recipe.image}: {error}") from error
        probe = self._make_probe(self._port)
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not await probe():
            if time.monotonic() > deadline:
                raise ServiceStartError(f"{self._name}: the container never answered")
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)

    async def stop(self) -> None:
        """Stop the container; its data stays for a later start."""
        if self._container is not None:
            await self._engine("stop")

    async def discard(self) -> None:
        """Remove the container; named volumes stay where the workspace is durable."""
        if self._container is not None:
            await asyncio.to_thread(self._container.stop)
            self._container = None

    async def kill(self) -> None:
        """End it with signal 9."""
        await self._engine("kill")

    async def pause(self) -> None:
        """Freeze all its processes."""
        await self._engine("pause")

    async def resume(self) -> None:
        """Let them run again."""
        await self._engine("unpause")

    async def _engine(self, operation: str) -> None:
        if self._container is None:
            raise ServiceControlError(f"{self._name}: cannot {operation}, it was never started")
        await asyncio.to_thread(getattr(self._container.get_wrapped_container(), operation))

    def _create(self) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - see above

        recipe = self._recipe
        self._port = self._port or self._workspace.take_ports(self._name, ("docker",))["docker"]
        container = DockerContainer(recipe.image).with_envs(**recipe.environment)
        # with_bind_ports() would listen on all addresses; the engine's client takes an address too
        published: dict[str, Any] = container.ports
        published[f"{recipe.port}/tcp"] = (LOOPBACK, self._port)
        container.with_kwargs(**recipe.options)
        if recipe.command is not None:
            container.with_command(recipe.command)
        if self._workspace.is_durable:
            container.with_volume_mapping(self._volume(), recipe.data_path, "rw")
        self._container = container
        container.start()

    def _volume(self) -> str:
        digest = hashlib.sha256(str(self._workspace.root).encode()).hexdigest()[:8]
        return f"gateway-worker-{digest}-{self._name}"


class ContainerBroker(ContainerService):
    """RabbitMQ in a container."""

    async def add_vhost(self, name: str) -> str:
        """Create a virtual host for our user."""
        await self._control("add_vhost", name)
        await self._control("set_permissions", "-p", name, USER, ".*", ".*", ".*")
        return self.url.rpartition("/")[0] + "/" + quote(name, safe="")

    async def _control(self, *arguments: str) -> None:
        if self._container is None:
            raise ServiceControlError("rabbitmq: cannot run rabbitmqctl, it was never started")
        command = ["rabbitmqctl", "--quiet", *arguments]
        result = await asyncio.to_thread(self._container.exec, command)
        if result.exit_code != 0:
            raise ServiceControlError(f"rabbitmqctl {arguments[0]}: {result.output.decode()}")


class ContainerObjectStore(ContainerService):
    """SeaweedFS in a container."""

    @property
    def settings(self) -> ObjectStore:
        """Endpoint with credentials and the bucket."""
        return _store(self._workspace, self._port)


def container_services(workspace: Workspace) -> RunningServices:
    """Return the set of containers, none of them created yet."""
    return RunningServices(
        rabbitmq=_rabbitmq(workspace),
        postgres=_postgres(workspace),
        redis=_redis(workspace),
        s3=_seaweedfs(workspace),
    )


def _rabbitmq(workspace: Workspace) -> ContainerBroker:
    password = workspace.secret("rabbitmq")
    return ContainerBroker(
        name="rabbitmq",
        workspace=workspace,
        recipe=Recipe(
            image=RABBITMQ_IMAGE,
            port=5672,
            data_path="/var/lib/rabbitmq",
            environment={"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": password},
            options={"hostname": "gateway"},  # the node's name, and so its data, depend on it
        ),
        url=lambda port: f"amqp://{USER}:{password}@{LOOPBACK}:{port}/%2F",
        probe=lambda port: lambda: probes.amqp_answers(port),
    )


def _postgres(workspace: Workspace) -> ContainerService:
    password = workspace.secret("postgres")
    return ContainerService(
        name="postgres",
        workspace=workspace,
        recipe=Recipe(
            image=POSTGRES_IMAGE,
            port=5432,
            data_path="/var/lib/postgresql",
            environment={
                "POSTGRES_USER": USER,
                "POSTGRES_PASSWORD": password,
                "POSTGRES_DB": DATABASE,
            },
            command="-c max_connections=200" + ("" if workspace.is_durable else " -c fsync=off"),
        ),
        url=lambda port: f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/{DATABASE}",
        probe=lambda port: lambda: probes.postgres_answers(port, user=USER),
    )


def _redis(workspace: Workspace) -> ContainerService:
    password = workspace.secret("redis")
    return ContainerService(
        name="redis",
        workspace=workspace,
        recipe=Recipe(
            image=REDIS_IMAGE,
            port=6379,
            data_path="/data",
            command=f"valkey-server --requirepass {password}"
            + (" --appendonly yes" if workspace.is_durable else ""),
        ),
        url=lambda port: f"redis://:{password}@{LOOPBACK}:{port}/0",
        probe=lambda port: lambda: probes.redis_answers(port, password=password),
    )


def _seaweedfs(workspace: Workspace) -> ContainerObjectStore:
    return ContainerObjectStore(
        name="s3",
        workspace=workspace,
        recipe=Recipe(
            image=S3_IMAGE,
            port=8333,
            data_path="/data",
            environment={
                "AWS_ACCESS_KEY_ID": USER,
                "AWS_SECRET_ACCESS_KEY": workspace.secret("s3"),
            },
            command="mini -dir=/data -master.telemetry=false -webdav=false -admin.ui=false",
        ),
        url=lambda port: _store(workspace, port).endpoint_url,
        probe=lambda port: lambda: bucket_exists(_store(workspace, port)),
    )


def _store(workspace: Workspace, port: int) -> ObjectStore:
    return ObjectStore(
        endpoint_url=f"http://{LOOPBACK}:{port}",
        access_key_id=USER,
        secret_access_key=workspace.secret("s3"),
        region=REGION,
        bucket=BUCKET,
    )
