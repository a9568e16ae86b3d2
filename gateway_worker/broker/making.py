"""Makes exchanges, queues and bindings at the broker, one at a time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway_contracts import (
    BackendTopology,
    BindingSpec,
    ExchangeBindingSpec,
    ExchangeSpec,
    QueueSpec,
)
from gateway_worker.broker.connection import ReconnectingConnection
from gateway_worker.broker.failures import bounded
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.underlay import Channel
from gateway_worker.errors import GatewayError

Answer = TypeVar("Answer")


class Maker:
    """Declares and binds on a channel of its own; idempotent.

    All methods raise `ConfigurationError` if something exists with other arguments or the user may
    not, and `DependencyError` if the broker cannot be asked now.

    Args:
        connection: The connection.
        request_timeout_seconds: For one answer of the broker.
    """

    def __init__(
        self, *, connection: ReconnectingConnection, request_timeout_seconds: float
    ) -> None:
        self._connection = connection
        self._timeout_seconds = request_timeout_seconds
        self._channel: Channel | None = None

    async def exchange(self, spec: ExchangeSpec) -> None:
        """Declare an exchange."""
        await self.request(
            f"declare exchange {spec.name}",
            lambda channel: channel.declare_exchange(
                spec.name, spec.kind, durable=True, arguments=spec.arguments
            ),
        )

    async def join(self, spec: ExchangeBindingSpec) -> None:
        """Bind one exchange to another."""

        async def join(channel: Channel) -> None:
            destination = await channel.get_exchange(spec.destination, ensure=False)
            await destination.bind(spec.source)

        await self.request(f"bind exchange {spec.destination} to {spec.source}", join)

    async def queue(self, spec: QueueSpec) -> None:
        """Declare a queue."""
        await self.request(
            f"declare queue {spec.name}",
            lambda channel: channel.declare_queue(
                spec.name, durable=True, arguments=spec.arguments
            ),
        )

    async def delete(self, queue: str) -> None:
        """Delete a queue with all that is in it; fine if there is none."""

        async def delete(channel: Channel) -> None:
            # No condition: RabbitMQ knows none for quorum queues.
            await channel.queue_delete(queue, if_unused=False, if_empty=False)

        await self.request(f"delete queue {queue}", delete)

    async def bind(self, spec: BindingSpec) -> None:
        """Bind a queue to an exchange."""

        async def bind(channel: Channel) -> None:
            queue = await channel.get_queue(spec.queue, ensure=False)
            await queue.bind(spec.exchange, spec.routing_key)

        await self.request(f"bind queue {spec.queue} to {spec.exchange}", bind)

    async def unbind(self, spec: BindingSpec) -> None:
        """Remove the binding of a queue to an exchange; fine if there is none."""

        async def unbind(channel: Channel) -> None:
            queue = await channel.get_queue(spec.queue, ensure=False)
            await queue.unbind(spec.exchange, spec.routing_key)

        await self.request(f"unbind {spec.queue}", unbind)

    async def request(self, what: str, make: Callable[[Channel], Awaitable[Answer]]) -> Answer:
        """Ask for something; a refusal costs the channel, and the next request opens another."""
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel(confirms=False)
        try:
            return await bounded(make(self._channel), seconds=self._timeout_seconds, what=what)
        except GatewayError:
            self._channel = None
            raise


async def add_backend(settings: BrokerSettings, backend: BackendTopology) -> None:
    """Make a backend's queues and bindings, with the rights of the settings' user; idempotent.

    Raises:
        DependencyError: The broker cannot be reached, or the workers' exchanges do not exist yet.
        ConfigurationError: It refuses the login, the user may not, or a queue is there with other
            arguments.
    """
    connection = ReconnectingConnection(
        name="backends", worker_id="ctl", settings=settings, counters=Counters()
    )
    try:
        await connection.open()
        maker = Maker(
            connection=connection, request_timeout_seconds=settings.request_timeout_seconds
        )
        for exchange in backend.exchanges():
            await maker.exchange(exchange)
        for queue in backend.queues():
            await maker.queue(queue)
        for binding in backend.bindings():
            await maker.bind(binding)
    finally:
        await connection.close()
