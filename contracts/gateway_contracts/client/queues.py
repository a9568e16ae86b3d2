"""Where a client reads events from."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import aio_pika.abc

from gateway_contracts.backend import BackendTopology
from gateway_contracts.topology import Topology

OnMessage = Callable[[aio_pika.abc.AbstractIncomingMessage], Awaitable[None]]


class Queues(Protocol):
    """Queues of one backend service."""

    @property
    def service(self) -> str:
        """The service's name."""

    async def consume(
        self, channel: aio_pika.abc.AbstractChannel, topology: Topology, on_message: OnMessage
    ) -> None:
        """Start to read, on a new channel; everything may have been done before, on another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnQueues:
    """The queues that an operator has made for this service; nothing is declared.

    What comes while nobody reads waits there. With one consumer at a time, as they are made by
    default, a second client reads nothing until the first is gone.

    Attributes:
        service: The service's name.
        heartbeats: Read the workers' heartbeats, too.
    """

    service: str
    heartbeats: bool = False

    async def consume(
        self, channel: aio_pika.abc.AbstractChannel, topology: Topology, on_message: OnMessage
    ) -> None:
        """Start to read."""
        own = BackendTopology(service=self.service, topology=topology)
        names = [own.events_queue().name]
        if self.heartbeats:
            names.append(own.heartbeats_queue().name)
        for name in names:
            queue = await channel.get_queue(name, ensure=False)
            await queue.consume(on_message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryQueue:
    """A queue that goes with the connection; for tools, and for tests.

    The user needs the right to declare it, which backends do not have and operators do. Events that
    come while the connection is unavailable do not come at all.

    Attributes:
        service: The service's name.
        patterns: Topic patterns of the events to read, such as `message.#` or `*.*.acme-support`.
        heartbeats: Read the workers' heartbeats, too.
        name: The queue's name below the service's.
    """

    service: str
    patterns: tuple[str, ...] = ("#",)
    heartbeats: bool = False
    name: str = ""

    async def consume(
        self, channel: aio_pika.abc.AbstractChannel, topology: Topology, on_message: OnMessage
    ) -> None:
        """Declare and bind it, and start to read."""
        base = BackendTopology(service=self.service, topology=topology).base
        # A new name each time: the broker may not have seen yet that the last connection is gone.
        queue = await channel.declare_queue(
            f"{base}.{self.name or 'tmp'}-{secrets.token_hex(6)}", exclusive=True, auto_delete=True
        )
        for pattern in self.patterns:
            await queue.bind(topology.events, pattern)
        if self.heartbeats:
            await queue.bind(topology.heartbeats, "worker.heartbeat.*")
        await queue.consume(on_message)
