"""What the launcher, the supervisor and fault tests need from a service, whatever its source."""

from typing import Protocol

from gateway_worker.devkit.services.values import ObjectStore, Source


class ServiceHandle(Protocol):
    """One service that can be started, stopped and broken on purpose.

    A service keeps its address and its data over stop, kill and start. All methods wait until the
    effect is there: `start` returns when the service answers, `kill` when its processes are gone.
    Sources that cannot do an operation raise ServiceControlError.
    """

    @property
    def name(self) -> str:
        """Short name for messages: rabbitmq, postgres, redis, s3."""
        ...

    @property
    def source(self) -> Source:
        """Where the service came from."""
        ...

    @property
    def url(self) -> str:
        """Address with credentials (the endpoint without them for S3); valid once started."""
        ...

    async def start(self) -> None:
        """Start, or do nothing when it already runs."""
        ...

    async def stop(self) -> None:
        """Stop the way an operator would; do nothing when it does not run."""
        ...

    async def discard(self) -> None:
        """Stop for good; a container, which is more than its process, is removed as well."""
        ...

    async def kill(self) -> None:
        """End all its processes with signal 9, as a power cut would."""
        ...

    async def pause(self) -> None:
        """Freeze all its processes: connections stay open and nothing answers."""
        ...

    async def resume(self) -> None:
        """Undo `pause`."""
        ...


class BrokerHandle(ServiceHandle, Protocol):
    """A broker that may be able to create virtual hosts."""

    async def add_vhost(self, name: str) -> str:
        """Create a virtual host that the URL's user may use fully; return the URL that names it."""
        ...


class ObjectStoreHandle(ServiceHandle, Protocol):
    """An S3 server; its credentials do not fit into a URL."""

    @property
    def settings(self) -> ObjectStore:
        """Endpoint, credentials and bucket; valid once started."""
        ...
