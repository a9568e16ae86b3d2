"""RabbitMQ definitions files: the topology, and apart from it the users with their rights.

Two files, because they are used differently: the topology may be loaded at every start of the
broker, while users are imported once and get their passwords afterwards; importing them again
would take the passwords away.
"""

from collections.abc import Iterable
from typing import Any

from gateway_contracts.backend import BackendTopology
from gateway_contracts.permissions import (
    UserRights,
    backend_rights,
    monitor_rights,
    operator_rights,
    trusted_rights,
    worker_rights,
)
from gateway_contracts.topology import BindingSpec, ExchangeSpec, QueueSpec, Topology

VHOST = "gateway"
"""Virtual host that the definitions create."""


def topology_definitions(topology: Topology, *, vhost: str = VHOST) -> dict[str, Any]:
    """Return the virtual host and everything shared in it, for `load_definitions`."""
    definitions = _objects(topology.exchanges(), topology.queues(), topology.bindings(), vhost)
    definitions["bindings"] += [
        {
            "source": binding.source,
            "vhost": vhost,
            "destination": binding.destination,
            "destination_type": "exchange",
            "routing_key": "",
            "arguments": {},
        }
        for binding in topology.exchange_bindings()
    ]
    return {"vhosts": [{"name": vhost}], **definitions}


def _objects(
    exchanges: Iterable[ExchangeSpec],
    queues: Iterable[QueueSpec],
    bindings: Iterable[BindingSpec],
    vhost: str,
) -> dict[str, Any]:
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.kind,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": exchange.arguments,
            }
            for exchange in exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": queue.arguments,
            }
            for queue in queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in bindings
        ],
    }


def user_definitions(topology: Topology, *, vhost: str = VHOST) -> dict[str, Any]:
    """Return the users with their rights and without passwords.

    Nobody can log in as them until `rabbitmqctl change_password` has been run.
    """
    users = (
        worker_rights(topology),
        backend_rights(topology),
        trusted_rights(topology),
        operator_rights(topology),
        monitor_rights(),
    )
    return _users(users, vhost)


def backend_definitions(backend: BackendTopology, *, vhost: str = VHOST) -> dict[str, Any]:
    """Return one backend's queues and bindings, and a user without a password who may read them."""
    rights = backend_rights(backend.topology, service=backend.service)
    return {
        **_objects(backend.exchanges(), backend.queues(), backend.bindings(), vhost),
        **_users((rights,), vhost),
    }


def _users(users: Iterable[UserRights], vhost: str) -> dict[str, Any]:
    users = tuple(users)
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(user) for user in users],
        "permissions": [
            {
                "user": user.user,
                "vhost": vhost,
                "configure": user.configure,
                "write": user.write,
                "read": user.read,
            }
            for user in users
        ],
        "topic_permissions": [
            {
                "user": user.user,
                "vhost": vhost,
                "exchange": topic.exchange,
                "write": topic.write,
                "read": topic.read,
            }
            for user in users
            for topic in user.topics
        ],
    }


def _user(user: UserRights) -> dict[str, Any]:
    return {"name": user.user, "password_hash": "", "tags": list(user.tags)}
