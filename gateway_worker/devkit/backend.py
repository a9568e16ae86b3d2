"""A small backend: publishes commands, collects events. The demo, the tests and the benches use it.

It knows the contract and nothing of the worker, and does what the contract asks of a backend:
publisher confirms, `mandatory`, a queue of its own, manual acknowledgement, deduplication by id.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import aio_pika
import aio_pika.abc
import aio_pika.exceptions
from yarl import URL

from gateway_contracts import (
    CONTENT_TYPE,
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    Event,
    SessionEvent,
    SessionEventEnvelope,
    Topology,
    encode,
    parse_event,
)
from gateway_contracts.amqp_urls import single_urls
from gateway_contracts.client.connection import ReconnectingChannel, until_done
from gateway_contracts.topology import DELIVERY_LIMIT
from gateway_worker.devkit.received import ReceivedEvent, ReceivedEvents

Wanted = TypeVar("Wanted", bound=SessionEventEnvelope)
OutcomeEvent = CommandSucceeded | CommandFailed

_TIMEOUT_SECONDS = 30.0
_PUBLISH_SECONDS = 90.0
_ACK_EVERY = 64
_ACK_SECONDS = 0.02


class Backend:
    """One backend's connection; made by `Backend.open`."""

    def __init__(self, *, topology: Topology, name: str, user: str | None) -> None:
        self._topology = topology
        self._user = user
        self._name = name
        self.source = f"/backends/{name}"
        self.arrivals = ReceivedEvents()
        self._has_changed = asyncio.Event()
        self._unacknowledged = 0
        self._unacknowledged_mark: object | None = None
        self._listeners: list[Callable[[ReceivedEvent], None]] = []
        self._commands: aio_pika.abc.AbstractExchange | None = None
        self._writing: ReconnectingChannel | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        amqp_url: str,
        *,
        topology: Topology | None = None,
        name: str = "demo",
        durable: bool = False,
        wanted: Sequence[str] = ("#",),
    ) -> AsyncIterator["Backend"]:
        """Connect, declare a queue for events and heartbeats, and start to collect.

        `wanted` are topic patterns of the events to collect; what none of them matches goes to a
        queue that nobody reads, as if for another backend. A `durable` queue keeps events while the
        broker or this backend is unavailable; the other one goes with the connection.

        The exchanges are declared as well, with the contract's own arguments, so that a backend may
        come before the first worker.
        """
        user = URL(single_urls(amqp_url)[0]).user
        backend = cls(topology=topology or Topology(), name=name, user=user)
        subscribe = partial(backend._subscribe, durable=durable, wanted=wanted)
        async with (
            ReconnectingChannel.open(amqp_url, prepare=subscribe),
            ReconnectingChannel.open(amqp_url, prepare=backend._prepare_to_publish) as writing,
        ):
            backend._writing = writing
            yield backend

    def on_arrival(self, listener: Callable[[ReceivedEvent], None]) -> None:
        """Call `listener` with every new event, in the order of arrival."""
        self._listeners.append(listener)

    async def publish(
        self,
        command: CommandEnvelope,
        *,
        seconds: float | None = _PUBLISH_SECONDS,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish a command; returns when the broker has confirmed it.

        If the connection is lost meanwhile it is published again, under the same id, for so many
        seconds; None is for ever, also while the broker has no queue for it.

        Raises:
            TimeoutError: The broker has not confirmed it; it may have it.
            PublishError: The broker has no queue for it.
        """
        body = encode(command)

        async def attempt() -> None:
            try:
                await self.publish_raw(
                    body,
                    session_id=command.subject,
                    message_id=command.id,
                    kind=command.type,
                    headers=headers,
                )
            except aio_pika.exceptions.PublishError:  # no queue is bound
                raise
            except aio_pika.exceptions.DeliveryError:
                if self._writing is not None:
                    await self._writing.refused()
                raise

        final = () if seconds is None else (aio_pika.exceptions.PublishError,)
        async with asyncio.timeout(seconds):
            await until_done(attempt, unless=final)

    async def publish_raw(
        self,
        body: bytes,
        *,
        session_id: str,
        message_id: str | None = None,
        kind: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish any bytes, once, as if they were a command (for tests of bad input)."""
        if self._commands is None:
            raise RuntimeError("the backend is not open")
        await self._commands.publish(
            aio_pika.Message(
                body,
                message_id=message_id,
                type=kind,
                content_type=CONTENT_TYPE,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                user_id=self._user,  # which the broker compares with who is logged in
                headers=dict(headers or {}),
            ),
            routing_key=session_id,
            mandatory=True,
            timeout=_TIMEOUT_SECONDS,
        )

    async def request(
        self, command: CommandEnvelope, *, seconds: float = _TIMEOUT_SECONDS
    ) -> OutcomeEvent:
        """Publish a command and return the event that tells its outcome."""
        await self.publish(command)
        return await self.outcome(command.id, seconds=seconds)

    async def outcome(self, command_id: str, *, seconds: float = _TIMEOUT_SECONDS) -> OutcomeEvent:
        """Wait for the outcome of a command."""
        event = await self._wait(
            command_id,
            lambda event: (
                isinstance(event, CommandSucceeded | CommandFailed)
                and event.correlationid == command_id
            ),
            seconds,
            f"no outcome of command {command_id}",
        )
        assert isinstance(event, CommandSucceeded | CommandFailed)
        return event

    async def expect(
        self,
        kind: type[Wanted],
        session_id: str,
        condition: Callable[[Wanted], bool] = lambda _event: True,
        *,
        after: int = 0,
        seconds: float = _TIMEOUT_SECONDS,
    ) -> Wanted:
        """Wait for an event of a session.

        Args:
            kind: The event's class.
            session_id: The session.
            condition: What must hold of it.
            after: Look only at arrivals from this index of `arrivals` on.
            seconds: How long to wait.

        Raises:
            TimeoutError: It did not come; the message lists what did.
        """
        event = await self._wait(
            session_id,
            lambda event: (
                isinstance(event, kind) and event.subject == session_id and condition(event)
            ),
            seconds,
            f"no {kind.__name__} of session {session_id}",
            after=after,
        )
        assert isinstance(event, kind)
        return event

    async def changed(self) -> None:
        """Return when another event has come."""
        self._has_changed.clear()
        await self._has_changed.wait()

    def events_of(self, session_id: str) -> list[SessionEvent]:
        """Return the session's events so far, in the order of arrival."""
        return [
            one.event
            for _, one in self.arrivals.about(session_id)
            if isinstance(one.event, SessionEventEnvelope) and one.event.subject == session_id
        ]

    async def _wait(
        self,
        about: str,
        condition: Callable[[Event], bool],
        seconds: float,
        what: str,
        *,
        after: int = 0,
    ) -> Event:
        looked_at = after
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for _, arrival in self.arrivals.about(about, after=looked_at):
                        if condition(arrival.event):
                            return arrival.event
                    looked_at = len(self.arrivals)
                    await self.changed()
        except TimeoutError:
            came = [one.routing_key for one in tuple(self.arrivals)[-20:]]
            raise TimeoutError(f"{what} within {seconds:g} s; the last to come: {came}") from None

    async def _prepare_to_publish(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._commands = await channel.get_exchange(self._topology.commands)

    async def _subscribe(
        self, channel: aio_pika.abc.AbstractChannel, *, durable: bool, wanted: Sequence[str]
    ) -> None:
        await channel.set_qos(prefetch_count=256)
        await self._declare(channel)
        queue = await (
            channel.declare_queue(
                f"{self._topology.prefix}.backend.{self._name}",
                durable=True,
                arguments={"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT},
            )
            if durable
            else channel.declare_queue(exclusive=True, auto_delete=True)
        )
        for pattern in wanted:
            await queue.bind(self._topology.events, pattern)
        if tuple(wanted) != ("#",):
            other = await channel.declare_queue(exclusive=True, auto_delete=False)
            await other.bind(self._topology.events, "message.#")
        await queue.bind(self._topology.heartbeats, "#")
        await queue.consume(self._on_message)

    async def _declare(self, channel: aio_pika.abc.AbstractChannel) -> None:
        for exchange in self._topology.exchanges():
            await channel.declare_exchange(
                exchange.name,
                aio_pika.ExchangeType(exchange.kind),
                durable=True,
                arguments=exchange.arguments,
            )
        for joined in self._topology.exchange_bindings():
            destination = await channel.get_exchange(joined.destination)
            await destination.bind(joined.source)
        for queue in self._topology.queues():
            await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        for binding in self._topology.bindings():
            declared = await channel.get_queue(binding.queue)
            await declared.bind(binding.exchange, binding.routing_key)

    async def _on_message(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        event = parse_event(message.body)
        arrival = ReceivedEvent(
            routing_key=message.routing_key or "", body=message.body, event=event
        )
        if self.arrivals.add(arrival):
            for listener in self._listeners:
                listener(arrival)
            self._has_changed.set()
        await self._acknowledge(message)

    async def _acknowledge(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        """Acknowledge in bulk while events stream in; the last of them after a moment."""
        self._unacknowledged += 1
        if self._unacknowledged < _ACK_EVERY:
            mark = self._unacknowledged_mark = object()
            await asyncio.sleep(_ACK_SECONDS)
            if mark is not self._unacknowledged_mark:
                return  # a later one covers this
        self._unacknowledged = 0
        self._unacknowledged_mark = None
        with suppress(aio_pika.exceptions.AMQPError):  # its channel is lost: it comes again
            await message.ack(multiple=True)
