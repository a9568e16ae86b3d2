"""Services that the environment names: somebody else runs them, we only use them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway_worker.devkit.services.errors import ServiceControlError, ServicesError
from gateway_worker.devkit.services.running import RunningServices
from gateway_worker.devkit.services.values import ObjectStore, Services, Source

DEFAULT_REGION = "us-east-1"


class ExternalService:
    """A service given by URL; starting and stopping are no business of ours."""

    source = Source.EXTERNAL

    def __init__(self, *, name: str, url: str) -> None:
        self._name = name
        self._url = url

    @property
    def name(self) -> str:
        """Which of the four it is."""
        return self._name

    @property
    def url(self) -> str:
        """The URL as given."""
        return self._url

    async def start(self) -> None:
        """Do nothing: it runs."""

    async def stop(self) -> None:
        """Do nothing: it is not ours."""

    async def discard(self) -> None:
        """Do nothing: it is not ours."""

    async def kill(self) -> None:
        """Refuse."""
        raise self._refusal("kill")

    async def pause(self) -> None:
        """Refuse."""
        raise self._refusal("pause")

    async def resume(self) -> None:
        """Refuse."""
        raise self._refusal("resume")

    def _refusal(self, operation: str) -> ServiceControlError:
        return ServiceControlError(f"{self._name}: cannot {operation} a service given by its URL")


class ExternalBroker(ExternalService):
    """A broker given by URL. AMQP itself cannot create virtual hosts."""

    async def add_vhost(self, name: str) -> str:
        """Refuse; use name prefixes instead."""
        raise self._refusal(f"create the virtual host {name} on")


class ExternalObjectStore(ExternalService):
    """An S3 endpoint given by variables."""

    def __init__(self, *, settings: ObjectStore) -> None:
        super().__init__(name="s3", url=settings.endpoint_url)
        self._settings = settings

    @property
    def settings(self) -> ObjectStore:
        """Endpoint, credentials and bucket as given."""
        return self._settings


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenServices:
    """Those of the four that the environment names."""

    rabbitmq: ExternalBroker | None
    postgres: ExternalService | None
    redis: ExternalService | None
    s3: ExternalObjectStore | None

    @property
    def missing(self) -> list[str]:
        """Names of the services that must come from somewhere else."""
        names = ("rabbitmq", "postgres", "redis", "s3")
        return [name for name in names if getattr(self, name) is None]

    def over(self, others: RunningServices) -> RunningServices:
        """Return the whole set: the given ones, and `others` where nothing was given."""
        return RunningServices(
            rabbitmq=self.rabbitmq or others.rabbitmq,
            postgres=self.postgres or others.postgres,
            redis=self.redis or others.redis,
            s3=self.s3 or others.s3,
        )


def given_services(environment: Mapping[str, str], *, prefix: str) -> GivenServices:
    """Read the URLs from the environment; an empty variable counts as unset.

    Raises:
        ServicesError: an S3 endpoint came without its credentials or bucket.
    """
    amqp = environment.get(f"{prefix}AMQP_URL")
    database = environment.get(f"{prefix}DATABASE_URL")
    redis = environment.get(f"{prefix}REDIS_URL")
    store = _object_store(environment, prefix=prefix)
    return GivenServices(
        rabbitmq=ExternalBroker(name="rabbitmq", url=amqp) if amqp else None,
        postgres=ExternalService(name="postgres", url=database) if database else None,
        redis=ExternalService(name="redis", url=redis) if redis else None,
        s3=ExternalObjectStore(settings=store) if store else None,
    )


def services_at(addresses: Services) -> RunningServices:
    """Return handles for a set that another process runs."""
    return RunningServices(
        rabbitmq=ExternalBroker(name="rabbitmq", url=addresses.amqp_url),
        postgres=ExternalService(name="postgres", url=addresses.database_url),
        redis=ExternalService(name="redis", url=addresses.redis_url),
        s3=ExternalObjectStore(settings=addresses.s3),
    )


def _object_store(environment: Mapping[str, str], *, prefix: str) -> ObjectStore | None:
    endpoint = environment.get(f"{prefix}S3_ENDPOINT_URL")
    if not endpoint:
        return None
    needed = ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_BUCKET")
    missing = [prefix + name for name in needed if not environment.get(prefix + name)]
    if missing:
        raise ServicesError(f"{prefix}S3_ENDPOINT_URL is set, so these must be too: {missing}")
    return ObjectStore(
        endpoint_url=endpoint,
        access_key_id=environment[f"{prefix}S3_ACCESS_KEY_ID"],
        secret_access_key=environment[f"{prefix}S3_SECRET_ACCESS_KEY"],
        region=environment.get(f"{prefix}S3_REGION") or DEFAULT_REGION,
        bucket=environment[f"{prefix}S3_BUCKET"],
    )
