"""The broker's part of a backend: its queues and bindings, which the operator makes."""

import shlex
from collections.abc import Iterator
from dataclasses import replace

from gateway_contracts import BackendTopology
from gateway_contracts.permissions import UserRights, backend_rights
from gateway_worker.broker import add_backend
from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, complain, say
from gateway_worker.tenants.settings import Tenancy


async def add(settings: Settings, wanted: BackendTopology, *, json: bool) -> int:
    """Make what a backend needs and say so.

    Args:
        settings: The worker's; its names take the place of those of `wanted`.
        wanted: The backend.
        json: Whether JSON is printed.

    Raises:
        GatewayError: The broker cannot be used, or has other queues under these names.
    """
    if settings.tenants.mode is not Tenancy.OFF and wanted.tenant is None:
        complain("TENANTS is set: without --tenant the backend gets events of every tenant")
    broker = settings.broker.for_operator
    backend = replace(wanted, topology=broker.topology)
    await add_backend(broker, backend)
    queues = [queue.name for queue in backend.queues()]
    rights = backend_rights(broker.topology, service=backend.service)
    commands = list(_commands(rights, broker.vhost))
    if json:
        say(as_json({"queues": queues, "user": rights.user, "commands": commands}))
        return 0
    say("\n".join(queues))
    say("\nIts user, if there is none yet:\n")
    say("\n".join(commands))
    return 0


def _commands(rights: UserRights, vhost: str) -> Iterator[str]:
    """Say how to make a user, for a shell."""
    yield shlex.join(("rabbitmqctl", "add_user", rights.user))
    patterns = (rights.configure, rights.write, rights.read)
    yield shlex.join(("rabbitmqctl", "set_permissions", "-p", vhost, rights.user, *patterns))
    for topic in rights.topics:
        yield shlex.join(
            (
                *("rabbitmqctl", "set_topic_permissions", "-p", vhost, rights.user),
                *(topic.exchange, topic.write, topic.read),
            )
        )
