"""A started set of services: addresses, and handles that fault tests use to break them."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway_worker.devkit.services.ports import BrokerHandle, ObjectStoreHandle, ServiceHandle
from gateway_worker.devkit.services.values import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServices:
    """Handles of the four services, all started."""

    rabbitmq: BrokerHandle
    postgres: ServiceHandle
    redis: ServiceHandle
    s3: ObjectStoreHandle

    @property
    def addresses(self) -> Services:
        """Where the services are."""
        return Services(
            amqp_url=self.rabbitmq.url,
            database_url=self.postgres.url,
            redis_url=self.redis.url,
            s3=self.s3.settings,
        )

    def __iter__(self) -> Iterator[ServiceHandle]:
        """Go through the handles in a fixed order."""
        yield from (self.rabbitmq, self.postgres, self.redis, self.s3)
