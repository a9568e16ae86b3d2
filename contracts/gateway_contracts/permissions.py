"""The rights of the broker's users: nobody gets more than they need.

RabbitMQ asks for more than one would think: declaring, even what exists, needs configure; declaring
a queue with a dead-letter exchange needs read on the queue and write on the exchange; an alternate
exchange needs read on the exchange and write on the alternate; binding needs write on the queue and
read on the exchange.
"""

import re
from dataclasses import dataclass

from gateway_contracts.envelope import FLEET
from gateway_contracts.events.outcome import NO_SESSION
from gateway_contracts.tenants import TENANT_NAME
from gateway_contracts.topology import Topology

NOTHING = "^$"
_NAME = "[A-Za-z0-9][A-Za-z0-9_-]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPermission:
    """Which routing keys of one topic exchange may be published and bound."""

    exchange: str
    write: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRights:
    """One user's patterns (regular expressions over names) within the virtual host."""

    user: str
    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()
    topics: tuple[TopicPermission, ...] = ()


def worker_rights(topology: Topology, *, worker_id: str | None = None) -> UserRights:
    """Return a worker's rights: the shared objects and the workers' queues, no backend's.

    Args:
        topology: The names in use.
        worker_id: For a user of each worker's own: narrows the keys of heartbeats to its id. It
            still reads other workers' queues, because it takes over from those that have died.
    """
    base, me = re.escape(topology.prefix), worker_id and re.escape(worker_id)
    commands = r"commands(\.(unrouted|unassigned|dead))?|internal(\.dead)?|dead|retry\.[0-9]+s"
    shared = rf"{commands}|worker\.{_NAME}"
    everything = rf"^{base}\.({shared}|events(\.unrouted)?|heartbeats|replay)$"
    return UserRights(
        user=worker_id or "gateway-worker",
        configure=everything,
        write=everything,
        read=rf"^{base}\.({shared}|events(\.unrouted)?)$",
        topics=(
            TopicPermission(
                exchange=topology.events,
                write=rf"^[a-z]+\.[a-z_]+\.({TENANT_NAME}\.)?({_NAME}|{NO_SESSION}|{FLEET})$",
                read=NOTHING,
            ),
            TopicPermission(
                exchange=topology.heartbeats,
                write=rf"^worker\.heartbeat\.{me or _NAME}$",
                read=NOTHING,
            ),
            TopicPermission(
                exchange=topology.replay,
                write=rf"^{base}\.backend(\.{_NAME}){{1,2}}$",
                read=NOTHING,
            ),
        ),
    )


def backend_rights(topology: Topology, *, service: str | None = None) -> UserRights:
    """Return a backend's rights: publish commands, read its queues, and nothing else.

    An operator makes its queues and bindings. Whoever may bind or declare can join the gateway's
    output to its input, or bind a queue that is full to every event.

    Args:
        topology: The names in use.
        service: Narrows the rights to one service's own queues; otherwise any service's.
    """
    return UserRights(
        user=f"gateway-backend-{service}" if service else "gateway-backend",
        configure=NOTHING,
        write=rf"^{re.escape(topology.commands)}$",
        read=rf"^{_own(topology, service)}$",
        topics=tuple(
            TopicPermission(exchange=exchange, write=NOTHING, read=NOTHING)
            for exchange in (topology.events, topology.heartbeats, topology.replay)
        ),
    )


def trusted_rights(topology: Topology, *, service: str | None = None) -> UserRights:
    """Return the rights of a backend that declares and binds its queues itself.

    Only for a backend that everybody in the fleet trusts: a queue of its own that refuses messages
    holds up events of all others, and it can read every session's events.

    Args:
        topology: The names in use.
        service: Narrows the rights to one service's own objects; otherwise any service's.
    """
    base, own = re.escape(topology.prefix), _own(topology, service)
    return UserRights(
        user=f"gateway-trusted-{service}" if service else "gateway-trusted",
        configure=rf"^{own}$",
        write=rf"^({own}|{base}\.commands)$",
        read=rf"^({own}|{base}\.(events(\.unrouted)?|heartbeats|replay))$",
        topics=(
            *(
                TopicPermission(exchange=exchange, write=NOTHING, read=".*")
                for exchange in (topology.events, topology.heartbeats)
            ),
            TopicPermission(exchange=topology.replay, write=NOTHING, read=rf"^{own}$"),
        ),
    )


def operator_rights(topology: Topology) -> UserRights:
    """Return the rights of whoever makes the backends' queues and looks after the dead letters."""
    everything = rf"^{re.escape(topology.prefix)}\..*$"
    return UserRights(
        user="gateway-operator", configure=everything, write=everything, read=everything
    )


def monitor_rights() -> UserRights:
    """Return the rights of whoever watches: the management API's figures, no message."""
    return UserRights(
        user="gateway-monitor",
        configure=NOTHING,
        write=NOTHING,
        read=NOTHING,
        tags=("monitoring",),
    )


def _own(topology: Topology, service: str | None) -> str:
    base, whose = re.escape(topology.prefix), re.escape(service) if service else _NAME
    return rf"{base}\.backend\.{whose}\.(events|heartbeats|dead|replay)"
