"""Opens everything that talks to RabbitMQ, in order, and closes it in reverse."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict

import structlog

from gateway_contracts import MAX_COMMAND_BYTES
from gateway_worker.broker.backlogs import Backlogs
from gateway_worker.broker.connection import Connections, ReconnectingConnection
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.broker.intake import Intake
from gateway_worker.broker.publisher import Publisher
from gateway_worker.broker.room import Room
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import BrokerHealth, BrokerStats, Counters
from gateway_worker.broker.topology import Bindings, Declarer
from gateway_worker.commands.ports import CommandSink
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.peer_messages import MAX_PEER_MESSAGE_BYTES
from gateway_worker.tenants.verifying import Verifier

log = structlog.get_logger(__name__)


class Broker:
    """The worker's side of RabbitMQ. Made by `open`.

    Args:
        settings: Where the broker is and how long to wait.
        worker_id: Whose queue is declared and consumed.
    """

    def __init__(self, *, settings: BrokerSettings, worker_id: str) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._topology = settings.topology
        self._counters = Counters()
        self._own_room = Room.of_own(settings.unsettled_bytes)
        self._others_room = Room.of_others(settings.unsettled_bytes)
        self._connections = Connections(
            consuming=self._connection("consume", self._own_room.intake),
            attending=self._connection("attend", self._others_room.intake),
            managing=self._connection("manage"),
            publishing=self._connection("publish"),
        )
        self._declarer = Declarer(
            connection=self._connections.managing,
            topology=self._topology,
            worker_id=worker_id,
            request_timeout_seconds=settings.request_timeout_seconds,
        )
        self._connections.consuming.on_change(self._declarer.invalidate)
        self.bindings = Bindings(declarer=self._declarer)
        self.publisher = Publisher(
            connection=self._connections.publishing,
            declarer=self._declarer,
            topology=self._topology,
            worker_id=worker_id,
            timeout_seconds=settings.publish_timeout_seconds,
            counters=self._counters,
        )
        self._backlogs = Backlogs(
            declarer=self._declarer,
            topology=self._topology,
            backends=settings.backend_names,
            on_doubt=self.publisher.doubt,
        )
        self.publisher.on_refused(self._backlogs.note_refusal)
        self._consumer: CommandConsumer | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: BrokerSettings, *, worker_id: str) -> AsyncIterator["Broker"]:
        """Connect, declare the topology and be ready to publish; leaving closes everything.

        Raises:
            DependencyError: The broker cannot be reached within the time for the start.
            ConfigurationError: It refuses the login, or something exists with other arguments.
        """
        broker = cls(settings=settings, worker_id=worker_id)
        connections = broker._connections
        async with AsyncExitStack() as stack:
            stack.push_async_callback(connections.attending.close)
            for connection in (connections.managing, connections.consuming, connections.publishing):
                stack.push_async_callback(connection.close)
                await connection.open()
            stack.push_async_callback(broker.publisher.stop)
            await broker._prepare()
            log.info("broker.opened", address=settings.address)
            yield broker
        log.info("broker.closed")

    def _connection(self, name: str, intake: Intake | None = None) -> ReconnectingConnection:
        return ReconnectingConnection(
            name=name,
            worker_id=self._worker_id,
            settings=self._settings,
            counters=self._counters,
            largest=self._largest,
            intake=intake,
        )

    def _largest(self, exchange: bytes) -> int:
        """Return the size of the largest body that is read from an exchange."""
        is_workers = exchange == self._topology.internal.encode()
        return MAX_PEER_MESSAGE_BYTES if is_workers else MAX_COMMAND_BYTES

    def consumer(
        self,
        sink: CommandSink,
        *,
        verifier: Verifier | None = None,
        most_waiting: int = 0,
        is_alone: Callable[[], bool] = lambda: True,
    ) -> CommandConsumer:
        """Return the service that consumes commands; call it once, then run it.

        Args:
            sink: Takes them.
            verifier: Verifies who has sent them; None in a fleet without tenants.
            most_waiting: How many of one tenant may be unsettled here; 0: any number.
            is_alone: Whether no other worker can be waiting at the worker's own queue.
        """
        if self._consumer is not None:
            raise RuntimeError("there is a consumer already")
        self._consumer = CommandConsumer(
            sink=sink,
            connections=self._connections,
            own_room=self._own_room,
            others_room=self._others_room,
            declarer=self._declarer,
            publisher=self.publisher,
            backlogs=self._backlogs,
            topology=self._topology,
            worker_id=self._worker_id,
            settings=self._settings,
            counters=self._counters,
            verifier=verifier,
            most_waiting=most_waiting,
            is_alone=is_alone,
        )
        return self._consumer

    async def depth(self, queue: str | None = None) -> int:
        """Return how many messages wait in a queue (by default the worker's own).

        Messages that were handed out and not settled do not count. Raises `DependencyError`, also
        if there is no such queue.
        """
        state = await self._declarer.inspect(queue or self._topology.worker_queue(self._worker_id))
        return state.messages

    async def unassigned_depth(self) -> int:
        """Return how many commands wait for sessions without an owner. Like `depth`."""
        return await self.depth(self._topology.unassigned)

    def check(self) -> BrokerHealth:
        """Tell whether the broker can be used now, and if not why. Never blocks."""
        problems = [
            f"{connection.name}: {connection.problem}"
            for connection in self._connections
            if connection.problem is not None
        ]
        if self._connections.publishing.is_blocked():
            problems.append("publish: blocked by a memory or disk alarm of the broker")
        consumer = self._consumer
        if not problems and consumer and consumer.is_wanted and not consumer.is_consuming:
            problems.append("consume: not subscribed to the worker's queue")
        if consumer and consumer.problem:
            problems.append(consumer.problem)
        return BrokerHealth(problems=tuple(problems))

    @property
    def backlog_problems(self) -> tuple[str, ...]:
        """What is alarming about the queues that others are to empty, in words."""
        return self._backlogs.problems

    @property
    def depths(self) -> Mapping[str, int]:
        """How many messages waited in those queues when they were last looked at."""
        return self._backlogs.depths

    def stats(self) -> BrokerStats:
        """Return the figures of this moment. Never blocks."""
        consumer = self._consumer
        return BrokerStats(
            **asdict(self._counters),
            in_flight=consumer.in_flight if consumer else 0,
            held_bytes=self._own_room.intake.held_bytes + self._others_room.intake.held_bytes,
            unconfirmed=self.publisher.unconfirmed,
            oldest_unconfirmed_seconds=self.publisher.oldest_unconfirmed_seconds,
            blocked=self._connections.publishing.is_blocked(),
            connected=all(connection.problem is None for connection in self._connections),
            consuming=bool(consumer and consumer.is_consuming),
        )

    async def _prepare(self) -> None:
        settings = self._settings
        limit = None if settings.wait_for_broker else settings.startup_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                await self._declare()
                self.publisher.start()
                await self.publisher.ready()
        except TimeoutError:
            raise DependencyError(
                f"RabbitMQ at {settings.address} was not ready within {limit:g} s: "
                f"{self._connections.managing.last_failure}"
            ) from None

    async def _declare(self) -> None:
        # The connection may die again at any moment; what the broker refuses is final.
        while True:
            try:
                await self._declarer.ensure()
            except DependencyError as error:
                log.warning("broker.declaring_failed", reason=error.detail)
                await asyncio.sleep(self._settings.reconnect_initial_seconds)
                await self._connections.managing.ready()
            else:
                return
