"""Real RabbitMQ, PostgreSQL, Redis and S3 for development and tests, on loopback only.

One launcher serves `./dev demo`, `run`, `test`, `bench` and `services`. For each service it takes
the first that there is: an explicit URL in the environment, a Docker engine that answers, private
processes on free ports (RabbitMQ from the system's package, the rest from wheels). Else it fails
and says what to install. Whatever it starts dies with it, even when it is killed with signal 9.

The way through the modules: `launcher` chooses per service and starts all at once; `rabbitmq`,
`postgres`, `valkey` and `seaweedfs` are the recipes for private processes, each built on `process`;
`external` and `containers` are the two other sources; `supervisor` keeps a set running for other
processes, and `__main__` is the command line that `./dev services` calls.
"""

from gateway_worker.devkit.services.errors import (
    ServiceControlError,
    ServicesError,
    ServiceStartError,
    ServiceUnavailableError,
)
from gateway_worker.devkit.services.launcher import LaunchOptions, Mode, local_services
from gateway_worker.devkit.services.ports import BrokerHandle, ObjectStoreHandle, ServiceHandle
from gateway_worker.devkit.services.running import RunningServices
from gateway_worker.devkit.services.values import ObjectStore, Services, Source

__all__ = [
    "BrokerHandle",
    "LaunchOptions",
    "Mode",
    "ObjectStore",
    "ObjectStoreHandle",
    "RunningServices",
    "ServiceControlError",
    "ServiceHandle",
    "ServiceStartError",
    "ServiceUnavailableError",
    "Services",
    "ServicesError",
    "Source",
    "local_services",
]
