"""What a backend declares for itself: its queues of events and heartbeats, and their dead letters.

Everything else is declared by the workers. A backend may name and size its queues otherwise; these
values are the ones that lose nothing, and the rights in `permissions` fit their names.
"""

import re
from dataclasses import dataclass, field

from gateway_contracts.topology import (
    DELIVERY_LIMIT,
    BindingSpec,
    ExchangeSpec,
    QueueSpec,
    Topology,
)

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendTopology:
    """One backend service's own part of the broker.

    Attributes:
        service: The service's name: 1 to 64 letters, digits, `_` or `-`.
        topology: The names that the workers use.
        events: Topic patterns of the events it wants, such as `message.#` or `*.*.acme-support`.
        ordered: Whether one consumer at a time reads the events. Several readers keep no order.
    """

    service: str
    topology: Topology = field(default_factory=Topology)
    events: tuple[str, ...] = ("#",)
    ordered: bool = True

    def __post_init__(self) -> None:
        if not _SERVICE.fullmatch(self.service):
            raise ValueError(f"no name of a service: {self.service!r}")

    @property
    def base(self) -> str:
        """What the names of this service's own objects begin with."""
        return f"{self.topology.prefix}.backend.{self.service}"

    @property
    def dead(self) -> str:
        """Name of both the fanout and the queue for events that this service cannot process."""
        return f"{self.base}.dead"

    def events_queue(self) -> QueueSpec:
        """Return the queue of its events.

        When it is full the broker refuses: events then wait in the gateway's outbox, for every
        backend, and come again to those that had taken them. Alert long before.
        """
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": 1_000_000,
        }
        if self.ordered:
            arguments["x-single-active-consumer"] = True
        return QueueSpec(name=f"{self.base}.events", arguments=arguments)

    def dead_queue(self) -> QueueSpec:
        """Return the queue of events that were rejected or delivered too often."""
        return QueueSpec(
            name=self.dead,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-overflow": "reject-publish",
                "x-max-length": 1_000_000,
            },
        )

    def heartbeats_queue(self) -> QueueSpec:
        """Return the queue of the workers' heartbeats: small, forgetful, gone when unused."""
        return QueueSpec(
            name=f"{self.base}.heartbeats",
            arguments={
                "x-queue-type": "classic",
                "x-message-ttl": 15_000,
                "x-max-length": 1000,
                "x-overflow": "drop-head",
                "x-expires": 600_000,
            },
        )

    def replay_queue(self) -> QueueSpec:
        """Return a queue for the events of `session.replay`, apart from the stream of new ones.

        It is declared when a replay is wanted, with `replay_binding`, and deleted when it is read.
        """
        return QueueSpec(name=f"{self.base}.replay", arguments=self.events_queue().arguments)

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
        return (self.dead_queue(), self.events_queue(), self.heartbeats_queue())

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
                for pattern in self.events
            ),
            BindingSpec(
                exchange=self.topology.heartbeats,
                queue=self.heartbeats_queue().name,
                routing_key="worker.heartbeat.*",
            ),
        )


def backend_events_queue(service: str, *, topology: Topology | None = None) -> QueueSpec:
    """Return the queue of events that a service should declare."""
    return BackendTopology(service=service, topology=topology or Topology()).events_queue()


def backend_heartbeats_queue(service: str, *, topology: Topology | None = None) -> QueueSpec:
    """Return the queue of heartbeats that a service should declare."""
    return BackendTopology(service=service, topology=topology or Topology()).heartbeats_queue()
