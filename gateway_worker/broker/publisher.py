"""Publishes events from the outbox, dead letters, life signs and commands that belong elsewhere.

Each kind has a channel, so that a missing exchange costs only its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from aio_pika import Message
from pamqp.commands import Basic

from gateway_contracts import (
    CONTENT_TYPE,
    Topology,
    WorkerEventEnvelope,
    encode,
    new_id,
)
from gateway_contracts.properties import PERSISTENT, properties_for
from gateway_worker.broker.confirms import ConfirmingChannel
from gateway_worker.broker.connection import ReconnectingConnection
from gateway_worker.broker.dead_lettering import JSON_TYPE, DeadLetter, dead_command, dead_event
from gateway_worker.broker.failures import RefusedError, ReturnedError
from gateway_worker.broker.headers import (
    ATTEMPT,
    CONTROL,
    EXCESS,
    FROM,
    HOP,
    HOPS,
    KEY,
    PROBE,
    STAGE,
    forwarded_headers,
)
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.topology import Declarer
from gateway_worker.commands.ports import Delivery
from gateway_worker.commands.replaying import QueueFullError
from gateway_worker.errors import InvalidCommandError
from gateway_worker.sessions.changes import OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event of the outbox as it is published."""

    body: bytes
    properties: Basic.Properties

    @property
    def body_size(self) -> int:
        """How many bytes it has."""
        return len(self.body)

    @property
    def message_id(self) -> str | None:
        """The event's id."""
        return self.properties.message_id


class Publisher:
    """The worker's publications (the outbox's `EventPublisher` among them).

    Args:
        connection: The publishing connection.
        declarer: Declares again what turned out to be missing.
        topology: The names.
        worker_id: Named as the origin of what the worker says itself.
        timeout_seconds: How long one message may wait for its confirm.
        counters: Where outcomes are counted.
    """

    def __init__(
        self,
        *,
        connection: ReconnectingConnection,
        declarer: Declarer,
        topology: Topology,
        worker_id: str,
        timeout_seconds: float,
        counters: Counters,
    ) -> None:
        self._topology = topology
        self._source = f"/workers/{worker_id}"
        self._events, self._commands, self._signs, self._replays = (
            ConfirmingChannel(
                name=name,
                connection=connection,
                declarer=declarer,
                timeout_seconds=timeout_seconds,
                counters=counters,
            )
            for name in ("events", "commands", "worker", "replays")
        )
        self._channels = (self._events, self._commands, self._signs, self._replays)
        self._on_doubt: list[Callable[[], None]] = []
        connection.on_change(self.doubt)

    @property
    def unconfirmed(self) -> int:
        """Messages without a confirm so far."""
        return sum(channel.unconfirmed for channel in self._channels)

    @property
    def oldest_unconfirmed_seconds(self) -> float:
        """Age of the oldest of them, 0 if there is none."""
        return max(channel.oldest_unconfirmed_seconds for channel in self._channels)

    def start(self) -> None:
        """Begin to keep the channels open."""
        for channel in self._channels:
            channel.start()

    async def ready(self) -> None:
        """Return when everything can be published, after a lost connection for example."""
        for channel in self._channels:
            await channel.ready()

    def on_returned(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever no queue wanted something."""
        for channel in (self._events, self._commands):
            channel.on_returned(callback)

    def on_refused(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever a full queue refuses an event."""
        self._events.on_refused(callback)

    def on_doubt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever a queue may just have lost its leader.

        What refuses an event then need not be the queue that has been full for long.
        """
        self._on_doubt.append(callback)

    def doubt(self) -> None:
        """Note that a queue may just have lost its leader, as all may of the node that we lose."""
        self._events.suspect()
        for callback in self._on_doubt:
            callback()

    def on_ready(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever events can be published again.

        It is called for the first time too if that is still to come. It must not raise or block.
        """
        self._events.on_open(callback)

    async def stop(self) -> None:
        """Close the channels."""
        await asyncio.gather(*(channel.stop() for channel in self._channels))

    async def publish(self, row: OutboxRow) -> None:
        """Publish one event and return once the broker has confirmed it.

        Calls may overlap; the broker gets them in the order of the calls. Raises `DependencyError`
        if it is not known to be stored (then it is repeated with the same id).
        """
        await self._events.publish(
            self._stored(row, {}),
            exchange=self._topology.event_exchange(row.type),
            routing_key=row.routing_key,
        )

    async def set_aside(self, row: OutboxRow, *, reason: str) -> None:
        """Put an event that cannot be published to the dead letters, by size and digest.

        Raises:
            DependencyError: It is not known to be stored.
        """
        await self._commands.publish(
            dead_event(row, reason=reason, source=self._source),
            exchange=self._topology.internal_dead,
            routing_key=row.session_id,
        )

    async def probe(self, session_id: str, *, worker_id: str) -> None:
        """Send a message to a worker the way a session's commands go, to see where it comes out.

        Raises:
            DependencyError: It is not known to be stored.
        """
        await self.publish_command(
            orjson.dumps({"worker": worker_id, "session": session_id}),
            routing_key=session_id,
            headers={CONTROL: PROBE},
            content_type=JSON_TYPE,
        )

    async def publish_replay(self, row: OutboxRow, *, queue: str) -> None:
        """Publish a stored event once more, to one queue only; see the commands' `Replayer`."""
        if not self._topology.is_backend_queue(queue):
            detail = f"not a queue of this gateway's backends: {self._topology.prefix}.backend.…"
            raise InvalidCommandError(detail, pointer="/data/queue")
        try:
            await self._replays.publish(
                self._stored(row, {"wa-replayed": True}),
                exchange=self._topology.replay,
                routing_key=queue,
            )
        except ReturnedError as error:
            detail = f"the queue is not bound to {self._topology.replay} by its own name"
            raise InvalidCommandError(detail, pointer="/data/queue") from error
        except RefusedError as error:
            raise QueueFullError("the queue for the replay is full") from error

    def _stored(self, row: OutboxRow, headers: Mapping[str, Any]) -> "StoredEvent":
        traced = {"traceparent": row.traceparent} if row.traceparent else {}
        return StoredEvent(
            body=row.body,
            properties=Basic.Properties(
                content_type=CONTENT_TYPE,
                headers={**headers, **traced},
                delivery_mode=PERSISTENT,
                correlation_id=row.correlation_id,
                message_id=row.event_id,
                timestamp=datetime.now(UTC),
                message_type=row.type,
                app_id=self._source,
            ),
        )

    async def publish_worker_event(self, message: WorkerEventEnvelope) -> None:
        """Publish what the worker says of itself; a heartbeat is transient and expires unread.

        Raises:
            DependencyError: It is not known to be stored.
        """
        properties = properties_for(message)
        await self._signs.publish(
            Message(
                encode(message),
                content_type=properties.content_type,
                delivery_mode=properties.delivery_mode,
                message_id=properties.message_id,
                correlation_id=properties.correlation_id,
                type=properties.type,
                timestamp=properties.timestamp,
                app_id=properties.app_id,
                expiration=properties.expiration,
                headers=dict(properties.headers),
            ),
            exchange=self._topology.event_exchange(message.type),
            routing_key=self._topology.event_key(message.type, message.subject),
            # A backend need not listen to heartbeats.
            mandatory=properties.expiration is None,
        )

    async def publish_command(
        self,
        body: bytes,
        *,
        routing_key: str,
        headers: Mapping[str, Any] | None = None,
        message_id: str | None = None,
        command_type: str | None = None,
        exchange: str | None = None,
        content_type: str | None = None,
    ) -> None:
        """Send a command on: to a session's owner, to one worker, or to a retry tier.

        Args:
            body: The command, unchanged.
            routing_key: A session id or `worker.<id>`.
            headers: The gateway's own and those for tracing go with it, no others.
            message_id: The command's id; it is what the next worker recognises it by.
            command_type: The command's type.
            exchange: By default the one for what workers send on.
            content_type: By default that of a command.

        Raises:
            DependencyError: It is not known to be stored.
        """
        await self._commands.publish(
            Message(
                body,
                content_type=content_type or CONTENT_TYPE,
                delivery_mode=PERSISTENT,
                message_id=message_id or new_id(),
                type=command_type,
                timestamp=datetime.now(UTC),
                app_id=self._source,
                headers=forwarded_headers(headers or {}),
            ),
            exchange=exchange or self._topology.internal,
            routing_key=routing_key,
        )

    async def pass_on(
        self, delivery: Delivery, *, worker_id: str, stage: int | None = None, hop: int
    ) -> None:
        """Send a command or control on to one worker (the commands' `CommandForwarder`).

        It says then from which worker's queue it came first, and how often it was sent on. If there
        is no such worker any more, it goes to the sessions without an owner.

        Args:
            delivery: What to send on; settling it stays with the caller.
            worker_id: Whom to.
            stage: What it says of the queue that it was first in; see `commands/handover_path.py`.
            hop: What it says of the way that it goes now.

        Raises:
            DependencyError: It is not known to be stored.
        """
        headers = {
            **delivery.headers,
            HOPS: delivery.hops + 1,
            HOP: hop,
            KEY: delivery.first_routing_key,
        }
        headers.pop(STAGE, None)
        if stage is not None:
            headers[STAGE] = stage
        if came_from := delivery.came_from or delivery.origin:
            headers[FROM] = came_from
        if delivery.excess is not None:
            headers[EXCESS] = delivery.excess.value
        await self.publish_command(
            delivery.body,
            routing_key=self._topology.worker_key(worker_id),
            headers=headers,
            message_id=delivery.message_id,
            command_type=delivery.message_type,
            content_type=JSON_TYPE if delivery.control else None,
        )

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Send a message of one worker to another (`marker`, `adopt`, `late`).

        It is stored like a command and takes its turn among them. If there is no such worker any
        more, it goes to the sessions without an owner.

        Args:
            kind: What it says.
            worker_id: Whom to.
            body: JSON.
            message_id: By default a new one. Whoever repeats a call gives the same again.

        Raises:
            DependencyError: It is not known to be stored.
        """
        await self.publish_command(
            body,
            routing_key=self._topology.worker_key(worker_id),
            headers={CONTROL: kind},
            message_id=message_id,
            content_type=JSON_TYPE,
        )

    async def retry_later(
        self, delivery: Delivery, *, seconds: float, attempts: int, within: float | None = None
    ) -> None:
        """Have a command come again, under the key it came with, after a while.

        Later commands of its session overtake it.

        Args:
            delivery: The command; settling it stays with the caller.
            seconds: How long to wait at least; the tiers end at five minutes.
            attempts: How often it was tried so far; it comes with that as `attempts_before`.
            within: In how many seconds its deadline passes: it waits no longer than that, but for
                the second that each waits.

        Raises:
            DependencyError: It is not known to be stored.
        """
        await self.publish_command(
            delivery.body,
            exchange=self._topology.retry_after(seconds, within=within),
            routing_key=delivery.routing_key,
            headers={**delivery.headers, ATTEMPT: attempts},
            message_id=delivery.message_id,
            command_type=delivery.message_type,
            content_type=JSON_TYPE if delivery.control else None,
        )

    async def publish_dead(self, letter: DeadLetter) -> None:
        """Publish a command to the dead letters, with the reason in its headers.

        Raises:
            DependencyError: It is not known to be stored.
        """
        await self._commands.publish(
            dead_command(letter, source=self._source),
            exchange=self._topology.internal_dead,
            routing_key=letter.message.routing_key or "",
        )
