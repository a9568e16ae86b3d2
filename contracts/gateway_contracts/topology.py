"""Exchanges, queues and routing keys, as values: what the worker declares and a backend relies on.

Why each queue has the arguments it has: a quorum queue without an explicit delivery limit loses its
order on a requeue (RabbitMQ 3.10 to 3.13), one without a dead-letter exchange loses messages that a
crash-looping consumer never looked at, and at-least-once dead-lettering needs `reject-publish`.
A backend's own queues are in `backend`, the users' rights in `permissions`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

DELIVERY_LIMIT = 20
"""How often a command is redelivered before it goes to the dead letters."""

COMMANDS_KEPT_BYTES = 536_870_912
"""How many bytes a queue of commands holds, beside its limit in messages."""
EVENTS_UNROUTED_BYTES = 1_073_741_824

RETRY_DELAYS = (1, 5, 30, 300)
"""Waiting times of the retry tiers, in whole seconds, rising."""

DAY_MILLISECONDS = 86_400_000
LONGEST_DAYS = 49
"""RabbitMQ takes no time to live of more than 2^32 milliseconds."""

_WORD = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_PREFIX = re.compile(r"(?!amq\.)(?!.*\.backend(\.|$))[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
"""Without the word behind which the names of backends' queues have their service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSpec:
    """An exchange to declare (durable)."""

    name: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSpec:
    """A queue to declare (durable)."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingSpec:
    """A binding of a queue to an exchange."""

    exchange: str
    queue: str
    routing_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeBindingSpec:
    """A binding of one exchange to another, for every message whatever its key (a fanout's)."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Every name, derived from one prefix, so that several fleets can share a broker.

    Attributes:
        prefix: What every name begins with.
        dead_letter_days: How long a dead command is kept. The same for all who declare the queue.
        dead_letter_bytes: How many bytes of dead commands are kept; the oldest go first. Likewise.
    """

    prefix: str = "wa"
    dead_letter_days: int = 30
    dead_letter_bytes: int = 1_073_741_824

    def __post_init__(self) -> None:
        if not (0 < self.dead_letter_days <= LONGEST_DAYS and self.dead_letter_bytes > 0):
            raise ValueError(f"dead letters are kept for 1 to {LONGEST_DAYS} days")
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"no prefix of AMQP names: {self.prefix!r}")

    @property
    def commands(self) -> str:
        """Direct exchange for commands; the routing key is the session id."""
        return f"{self.prefix}.commands"

    @property
    def internal(self) -> str:
        """Fanout in front of `commands` into which only workers may write.

        What comes in here goes through the same bindings into the same queues, so it keeps its
        place among the commands. A message keeps the name of the exchange that it was published
        to, and the broker tells it to whoever consumes: so workers know what workers have said.
        """
        return f"{self.prefix}.internal"

    @property
    def unrouted(self) -> str:
        """Fanout behind `commands` for sessions that no worker owns."""
        return f"{self.prefix}.commands.unrouted"

    @property
    def unassigned(self) -> str:
        """Queue of the commands for sessions that no worker owns."""
        return f"{self.prefix}.commands.unassigned"

    @property
    def dead(self) -> str:
        """Fanout for commands that the broker itself takes out of a queue of commands."""
        return f"{self.prefix}.dead"

    @property
    def internal_dead(self) -> str:
        """Fanout for commands that a worker has given up: what it says of them can be believed."""
        return f"{self.prefix}.internal.dead"

    @property
    def dead_commands(self) -> str:
        """Queue of the dead commands."""
        return f"{self.prefix}.commands.dead"

    @property
    def events(self) -> str:
        """Topic exchange for events; the routing key is `<type>.<session id>`."""
        return f"{self.prefix}.events"

    @property
    def events_unrouted(self) -> str:
        """Name of both the fanout and the bounded queue for events that no backend has bound."""
        return f"{self.prefix}.events.unrouted"

    @property
    def heartbeats(self) -> str:
        """Topic exchange for heartbeats; the routing key is `worker.heartbeat.<worker id>`."""
        return f"{self.prefix}.heartbeats"

    @property
    def replay(self) -> str:
        """Topic exchange for replayed events; the routing key is the name of one backend's queue.

        A backend binds its queue with that queue's own name. The workers can so reach one queue
        without the right to publish into every queue, which the default exchange would need.
        """
        return f"{self.prefix}.replay"

    def retry(self, delay: int) -> str:
        """Name of both the fanout and the queue of the tier that waits `delay` seconds.

        Publish with the routing key the command came with; it comes back by `internal` under it.
        Count attempts in a header of your own: `x-death` counts on RabbitMQ 3.x only.
        """
        if delay not in RETRY_DELAYS:
            raise ValueError(f"no retry tier of {delay} s; there are {RETRY_DELAYS}")
        return f"{self.prefix}.retry.{delay}s"

    def retry_after(self, seconds: float, *, within: float | None = None) -> str:
        """Name of the first tier that waits at least `seconds`, or of the longest there is.

        Of those that come back `within` so many seconds, if any does: else of the shortest.
        """
        timely = [delay for delay in RETRY_DELAYS if within is None or delay <= within]
        tiers = timely or RETRY_DELAYS[:1]
        return self.retry(next((delay for delay in tiers if delay >= seconds), tiers[-1]))

    def worker_queue(self, worker_id: str) -> str:
        """Queue of one worker's commands."""
        return f"{self.prefix}.worker.{worker_id}"

    def is_backend_queue(self, queue: str) -> bool:
        """Whether a queue's name is one that a backend of this fleet gives its own queues."""
        return (
            re.fullmatch(rf"{re.escape(self.prefix)}\.backend(\.{_WORD}){{1,2}}", queue) is not None
        )

    @staticmethod
    def worker_key(worker_id: str) -> str:
        """Routing key that reaches one worker directly."""
        return f"worker.{worker_id}"

    @staticmethod
    def event_key(event_type: str, subject: str) -> str:
        """Routing key of an event: `wa.message.received.v1` of `s` is `message.received.s`."""
        return f"{event_type.removeprefix('wa.').rsplit('.', 1)[0]}.{subject}"

    def event_exchange(self, event_type: str) -> str:
        """Exchange that events of this type are published to."""
        return self.heartbeats if event_type.startswith("wa.worker.heartbeat.") else self.events

    def exchanges(self) -> tuple[ExchangeSpec, ...]:
        """Return the shared exchanges, in an order in which they can be declared."""
        return (
            ExchangeSpec(name=self.unrouted, kind="fanout"),
            ExchangeSpec(
                name=self.commands, kind="direct", arguments={"alternate-exchange": self.unrouted}
            ),
            ExchangeSpec(name=self.internal, kind="fanout"),
            ExchangeSpec(name=self.dead, kind="fanout"),
            ExchangeSpec(name=self.internal_dead, kind="fanout"),
            *(ExchangeSpec(name=self.retry(delay), kind="fanout") for delay in RETRY_DELAYS),
            ExchangeSpec(name=self.events_unrouted, kind="fanout"),
            ExchangeSpec(
                name=self.events,
                kind="topic",
                arguments={"alternate-exchange": self.events_unrouted},
            ),
            ExchangeSpec(name=self.heartbeats, kind="topic"),
            ExchangeSpec(name=self.replay, kind="topic"),
        )

    def queues(self) -> tuple[QueueSpec, ...]:
        """Return the shared queues."""
        return (
            QueueSpec(name=self.unassigned, arguments=self._command_queue()),
            *(self._retry_queue(delay) for delay in RETRY_DELAYS),
            # By age and bytes: the oldest go first, so that new ones always find room.
            QueueSpec(
                name=self.dead_commands,
                arguments={
                    "x-queue-type": "quorum",
                    "x-message-ttl": self.dead_letter_days * DAY_MILLISECONDS,
                    "x-max-length": 1_000_000,
                    "x-max-length-bytes": self.dead_letter_bytes,
                    "x-overflow": "drop-head",
                    "x-delivery-limit": DELIVERY_LIMIT,
                },
            ),
            # Drops its oldest rather than refuse: a backend that binds some kinds of events only
            # leaves the rest here for good, and a refusal would hold up every event behind them.
            QueueSpec(
                name=self.events_unrouted,
                arguments={
                    "x-queue-type": "quorum",
                    "x-max-length-bytes": EVENTS_UNROUTED_BYTES,
                    "x-overflow": "drop-head",
                    "x-delivery-limit": DELIVERY_LIMIT,
                },
            ),
        )

    def exchange_bindings(self) -> tuple[ExchangeBindingSpec, ...]:
        """Return the bindings among the shared exchanges."""
        return (ExchangeBindingSpec(source=self.internal, destination=self.commands),)

    def bindings(self) -> tuple[BindingSpec, ...]:
        """Return the bindings among the shared queues."""
        return (
            BindingSpec(exchange=self.unrouted, queue=self.unassigned),
            *(
                BindingSpec(exchange=self.retry(delay), queue=self.retry(delay))
                for delay in RETRY_DELAYS
            ),
            BindingSpec(exchange=self.dead, queue=self.dead_commands),
            BindingSpec(exchange=self.internal_dead, queue=self.dead_commands),
            BindingSpec(exchange=self.events_unrouted, queue=self.events_unrouted),
        )

    def worker_queue_spec(self, worker_id: str) -> QueueSpec:
        """Return one worker's queue: like the shared one, with a single active consumer."""
        return QueueSpec(
            name=self.worker_queue(worker_id),
            arguments={**self._command_queue(), "x-single-active-consumer": True},
        )

    def _command_queue(self) -> dict[str, Any]:
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": 100_000,
            "x-max-length-bytes": COMMANDS_KEPT_BYTES,
        }

    def _retry_queue(self, delay: int) -> QueueSpec:
        return QueueSpec(
            name=self.retry(delay),
            arguments={
                **self._command_queue(),
                "x-dead-letter-exchange": self.internal,
                "x-message-ttl": delay * 1000,
            },
        )
