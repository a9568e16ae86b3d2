"""The service as a whole: whether it is up, what a worker needs, who asked for another host."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.control.views import health_view
from gateway_worker.sandbox.sandbox import Sandbox


def health(sandbox: Sandbox) -> models.Health:
    """Ask whether it is up."""
    return health_view(sandbox)


def worker_settings(sandbox: Sandbox) -> models.WorkerEnv:
    """Return the three settings that point a worker at it."""
    return models.WorkerEnv(
        proxy_url=sandbox.proxy_url, ca_file=str(sandbox.ca_file), root_key=sandbox.root_key_hex
    )


def egress_attempts(sandbox: Sandbox) -> models.EgressList:
    """Return the requests for other hosts, all of them refused."""
    attempts = sandbox.egress_attempts
    views = tuple(models.EgressView(method=one.method, target=one.target) for one in attempts)
    return models.EgressList(attempts=views)


async def set_reachable(sandbox: Sandbox, body: models.ServiceState) -> None:
    """Make the whole service vanish or come back."""
    if body.reachable:
        await sandbox.service_up()
    else:
        await sandbox.service_down()


OPERATIONS: Final = (
    Operation(name="health", route="GET /health", run=health),
    Operation(name="worker_settings", route="GET /worker-env", run=worker_settings),
    Operation(
        name="egress_attempts",
        route="GET /egress-attempts",
        run=egress_attempts,
        returns="attempts",
    ),
    Operation(name="set_reachable", route="PUT /service", run=set_reachable),
)
