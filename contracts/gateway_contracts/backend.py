"""A backend's part of the broker: its queues of events, heartbeats, replays and dead letters.

An operator makes them, with `gateway-worker ctl broker add-backend` or as definitions; a backend
with the rights of `permissions.trusted_rights` may declare them itself. Everything else is declared
by the workers. The queues may be sized otherwise; the rights in `permissions` fit their names.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from gateway_contracts.tenants import is_tenant, tenant_of_service
from gateway_contracts.topology import (
    DELIVERY_LIMIT,
    BindingSpec,
    ExchangeSpec,
    QueueSpec,
    Topology,
)

_WORDS = 3
EVENTS_KEPT = 1_000_000
"""How many messages a backend's queue of events holds, and the one of its dead letters."""
EVENTS_KEPT_BYTES = 2_147_483_648
HEARTBEATS_KEPT_BYTES = 8_388_608

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendTopology:
    """One backend service's own part of the broker.

    Attributes:
        service: The service's name: 1 to 64 letters, digits, `_` or `-`.
        topology: The names that the workers use.
        events: Topic patterns of the events it wants, such as `message.#` or `*.*.acme-support`.
            With a tenant, of three words: two of the type, and the session's name without the
            tenant; by default all.
        tenant: In a fleet with tenants, whose service it is: it gets no other's events, and none of
            the fleet's own.
        ordered: Whether one consumer at a time reads the events. Several readers keep no order.
        refuses_when_full: Whether a full queue of events refuses more, instead of moving its oldest
            to the dead letters. That holds up the events of every backend; it is for a fleet with
            one backend, together with the workers' setting `AMQP_FULL_QUEUE_PATIENCE_SECONDS`.
    """

    service: str
    topology: Topology = field(default_factory=Topology)
    events: tuple[str, ...] = ()
    tenant: str | None = None
    ordered: bool = True
    refuses_when_full: bool = False

    def __post_init__(self) -> None:
        if not _SERVICE.fullmatch(self.service):
            raise ValueError(f"no name of a service: {self.service!r}")
        if self.tenant is None:
            return
        if not is_tenant(self.tenant) or tenant_of_service(self.service) != self.tenant:
            raise ValueError(
                f"no service of the tenant {self.tenant!r}: it has to be called {self.tenant}, or "
                f"{self.tenant}_ and one more word"
            )
        if self.refuses_when_full:
            raise ValueError("a tenant's queue cannot refuse: that would hold up all the others")
        for pattern in self.events:
            if len(pattern.split(".")) != _WORDS or "#" in pattern:
                raise ValueError(
                    f"{pattern!r} has not three words, such as message.received.* or *.*.support"
                )

    @property
    def base(self) -> str:
        """What the names of this service's own objects begin with."""
        return f"{self.topology.prefix}.backend.{self.service}"

    @property
    def dead(self) -> str:
        """Name of both the fanout and the queue for events that this service cannot process."""
        return f"{self.base}.dead"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The routing keys of the events that reach it."""
        if self.tenant is None:
            return self.events or ("#",)
        split = (pattern.rpartition(".") for pattern in self.events or ("*.*.*",))
        return tuple(f"{of_type}.{self.tenant}.{name}" for of_type, _, name in split)

    def events_queue(self) -> QueueSpec:
        """Return the queue of its events.

        When it is full, its oldest go to the dead letters, and nobody else's events wait for it.
        What is missing then shows as a gap in `sequence`; `session.replay` brings it again.
        """
        arguments: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead,
            "x-overflow": "drop-head",
            "x-max-length": EVENTS_KEPT,
            "x-max-length-bytes": EVENTS_KEPT_BYTES,
        }
        if self.refuses_when_full:
            arguments["x-overflow"] = "reject-publish"
            arguments["x-dead-letter-strategy"] = "at-least-once"
        if self.ordered:
            arguments["x-single-active-consumer"] = True
        return QueueSpec(name=f"{self.base}.events", arguments=arguments)

    def dead_queue(self) -> QueueSpec:
        """Return the queue of events that were rejected, delivered too often, or too many."""
        return QueueSpec(
            name=self.dead,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-overflow": "reject-publish" if self.refuses_when_full else "drop-head",
                "x-max-length": EVENTS_KEPT,
                "x-max-length-bytes": EVENTS_KEPT_BYTES,
            },
        )

    def heartbeats_queue(self) -> QueueSpec:
        """Return the queue of the workers' heartbeats: small and forgetful."""
        return QueueSpec(
            name=f"{self.base}.heartbeats",
            arguments={
                "x-queue-type": "classic",
                "x-message-ttl": 15_000,
                "x-max-length": 1000,
                "x-max-length-bytes": HEARTBEATS_KEPT_BYTES,
                "x-overflow": "drop-head",
            },
        )

    def replay_queue(self) -> QueueSpec:
        """Return a queue for the events of `session.replay`, apart from the stream of new ones.

        When it is full it refuses: only the replay waits, until some of it has been read.
        """
        arguments = {
            **self.events_queue().arguments,
            "x-overflow": "reject-publish",
            "x-dead-letter-strategy": "at-least-once",
        }
        return QueueSpec(name=f"{self.base}.replay", arguments=arguments)

    def replay_binding(self, queue: str | None = None) -> BindingSpec:
        """Return the binding by which replays reach a queue: its own name is the key.

        Args:
            queue: One of this service's queues; by default `replay_queue`.
        """
        name = queue or self.replay_queue().name
        return BindingSpec(exchange=self.topology.replay, queue=name, routing_key=name)

    def exchanges(self) -> tuple[ExchangeSpec, ...]:
        """Return the exchanges to declare, before the queues."""
        return (ExchangeSpec(name=self.dead, kind="fanout"),)

    def queues(self) -> tuple[QueueSpec, ...]:
        """Return the queues to declare."""
        return (
            self.dead_queue(),
            self.events_queue(),
            self.heartbeats_queue(),
            self.replay_queue(),
        )

    def bindings(self) -> tuple[BindingSpec, ...]:
        """Return the bindings to declare; the shared exchanges must exist."""
        return (
            BindingSpec(exchange=self.dead, queue=self.dead),
            *(
                BindingSpec(
                    exchange=self.topology.events,
                    queue=self.events_queue().name,
                    routing_key=pattern,
                )
                for pattern in self.patterns
            ),
            *(
                (
                    BindingSpec(
                        exchange=self.topology.heartbeats,
                        queue=self.heartbeats_queue().name,
                        routing_key="worker.heartbeat.*",
                    ),
                )
                if self.tenant is None
                else ()
            ),
            self.replay_binding(),
        )


def backend_events_queue(service: str, *, topology: Topology | None = None) -> QueueSpec:
    """Return the queue of events that a service should have."""
    return BackendTopology(service=service, topology=topology or Topology()).events_queue()


def backend_heartbeats_queue(service: str, *, topology: Topology | None = None) -> QueueSpec:
    """Return the queue of heartbeats that a service should have."""
    return BackendTopology(service=service, topology=topology or Topology()).heartbeats_queue()
