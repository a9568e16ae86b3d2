"""Declares what the worker relies on, and binds the keys of the sessions it owns to its queue.

Everything here runs on a connection on which little comes: the broker may stop reading the one that
publishes, and what comes on those that consume may have to be read before an answer. And it runs on
channels of its own, because a request that the broker refuses closes its channel.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from gateway_contracts import BindingSpec, Topology
from gateway_worker.broker.connection import ReconnectingConnection, close_channel
from gateway_worker.broker.failures import bounded, is_missing
from gateway_worker.broker.making import Maker
from gateway_worker.errors import ConfigurationError, DependencyError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What the broker says of a queue: messages that wait, and consumers."""

    messages: int
    consumers: int


class Declarer:
    """Declares exchanges, queues and bindings; idempotent.

    Args:
        connection: The connection to declare on.
        topology: The names.
        worker_id: Whose queue is declared.
        request_timeout_seconds: For one answer of the broker.
    """

    def __init__(
        self,
        *,
        connection: ReconnectingConnection,
        topology: Topology,
        worker_id: str,
        request_timeout_seconds: float,
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._worker_id = worker_id
        self._queue = topology.worker_queue(worker_id)
        self._timeout_seconds = request_timeout_seconds
        self._lock = asyncio.Lock()
        self._maker = Maker(connection=connection, request_timeout_seconds=request_timeout_seconds)
        self._is_declared = False
        self._keys: set[str] = set()
        connection.on_change(self.invalidate)

    def invalidate(self) -> None:
        """Have the next `ensure` declare everything again: something may be missing."""
        self._is_declared = False

    async def ready(self) -> None:
        """Return when the broker can be asked. Raises `DependencyError` if it cannot for long."""
        await bounded(
            self._connection.ready(), seconds=self._timeout_seconds, what="wait for the broker"
        )

    @property
    def is_ready(self) -> bool:
        """Whether the broker can be asked, as far as is known."""
        return self._connection.is_up

    def suspect(self, reason: str) -> None:
        """Have the connection made anew: the broker does not answer on it."""
        self._connection.suspect(reason)

    def declares(self, queue: str) -> bool:
        """Tell whether a queue is this worker's to declare; other workers' are not."""
        return queue == self._queue or any(queue == spec.name for spec in self._topology.queues())

    async def ensure(self) -> None:
        """Declare everything, with the bindings of all owned sessions, unless that is done.

        Raises:
            ConfigurationError: Something exists with other arguments, or the user may not declare.
            DependencyError: The broker cannot be asked now.
        """
        async with self._lock:
            await self._ensure()

    @property
    def sessions(self) -> frozenset[str]:
        """The sessions whose commands are routed to the worker's queue."""
        return frozenset(self._keys)

    async def missing(self) -> tuple[str, ...]:
        """Return the names of the exchanges and queues that are gone. Raises `DependencyError`."""
        gone: list[str] = []
        queues = (*self._topology.queues(), self._topology.worker_queue_spec(self._worker_id))
        for exchange in self._topology.exchanges():
            await self._look_for(exchange.name, gone, is_queue=False)
        for queue in queues:
            await self._look_for(queue.name, gone, is_queue=True)
        return tuple(gone)

    async def _look_for(self, name: str, gone: list[str], *, is_queue: bool) -> None:
        try:
            await self._maker.request(
                f"look for {name}",
                lambda channel: (
                    channel.declare_queue(name, passive=True)
                    if is_queue
                    else channel.declare_exchange(name, passive=True)
                ),
            )
        except DependencyError as error:
            if not is_missing(error):
                raise
            gone.append(name)

    async def bind_again(self, session_id: str) -> bool:
        """Make a session's binding again; False if its commands are not to come here."""
        async with self._lock:
            if session_id not in self._keys:
                return False
            await self._maker.bind(self._own(session_id))
            return True

    async def bind(self, session_id: str) -> None:
        """Route a session's commands to the worker's queue, also after the queue was lost."""
        async with self._lock:
            await self._ensure()
            await self._maker.bind(self._own(session_id))
            self._keys.add(session_id)

    async def unbind(self, session_id: str) -> None:
        """Stop routing a session's commands here."""
        async with self._lock:
            self._keys.discard(session_id)
            await self._unbind(session_id)

    async def unbind_disowned(self, session_id: str) -> None:
        """Stop routing a session's commands here, unless they are meant to come here."""
        async with self._lock:
            if session_id not in self._keys:
                await self._unbind(session_id)

    async def unbind_from(self, session_id: str, worker_id: str) -> None:
        """Stop routing a session's commands to another worker; fine if nothing does, or can.

        The channel is a fresh one: naming a queue that does not exist may close it.
        """
        name = self._topology.worker_queue(worker_id)
        channel = await self._connection.channel(confirms=False)
        try:
            queue = await channel.get_queue(name, ensure=False)
            await bounded(
                queue.unbind(self._topology.commands, session_id),
                seconds=self._timeout_seconds,
                what=f"unbind {name}",
            )
        except DependencyError as error:
            if not is_missing(error):
                raise
        finally:
            await close_channel(channel)

    async def is_consumed(self, worker_id: str) -> bool:
        """Ask whether a worker's queue has a consumer. Raises `DependencyError`."""
        state = await self._find(self._topology.worker_queue(worker_id))
        return state is not None and state.consumers > 0

    async def exists(self, queue: str) -> bool:
        """Ask whether there is a queue. Raises `DependencyError`."""
        return await self._find(queue) is not None

    async def _find(self, queue: str) -> QueueState | None:
        try:
            return await self.inspect(queue)
        except DependencyError as error:
            if not is_missing(error):
                raise
            return None

    async def delete(self, queue: str) -> None:
        """Delete a queue with all that is in it; fine if there is none.

        Raises `DependencyError`.
        """
        with _as_dependency():
            await self._maker.delete(queue)

    def disown(self, session_id: str) -> None:
        """Do not bind a session's key again; its new owner takes care of the binding."""
        self._keys.discard(session_id)

    async def inspect(self, queue: str) -> QueueState:
        """Ask for a queue's depth and consumers. Raises `DependencyError`, also if there is none.

        The channel is a fresh one: asking for what does not exist closes it.
        """
        channel = await self._connection.channel(confirms=False)
        try:
            declared = await bounded(
                channel.declare_queue(queue, passive=True),
                seconds=self._timeout_seconds,
                what=f"inspect queue {queue}",
            )
        finally:
            await close_channel(channel)
        answer = declared.declaration_result
        return QueueState(messages=answer.message_count or 0, consumers=answer.consumer_count or 0)

    async def assert_shared(self) -> None:
        """Declare and bind again what all workers share, and the worker's own queue and key.

        Raises as `ensure`.
        """
        async with self._lock:
            await self._assert_shared()

    async def _ensure(self) -> None:
        if self._is_declared:
            return
        await self._assert_shared()
        for key in self._keys:
            await self._maker.bind(self._own(key))
        self._is_declared = True
        log.info("broker.declared", queue=self._queue, sessions=len(self._keys))

    async def _assert_shared(self) -> None:
        for exchange in self._topology.exchanges():
            await self._maker.exchange(exchange)
        own = self._topology.worker_queue_spec(self._worker_id)
        for joined in self._topology.exchange_bindings():
            await self._maker.join(joined)
        for queue in (*self._topology.queues(), own):
            await self._maker.queue(queue)
        for binding in self._topology.bindings():
            await self._maker.bind(binding)
        await self._maker.bind(self._own(self._topology.worker_key(self._worker_id)))

    def _own(self, key: str) -> BindingSpec:
        return BindingSpec(exchange=self._topology.commands, queue=self._queue, routing_key=key)

    async def _unbind(self, session_id: str) -> None:
        await self._maker.unbind(self._own(session_id))


class Bindings:
    """The bindings from the keys of owned sessions to this worker's queue."""

    def __init__(self, *, declarer: Declarer) -> None:
        self._declarer = declarer

    async def bind(self, session_id: str) -> None:
        """Route the session's commands here. Raises `DependencyError`; idempotent."""
        with _as_dependency():
            await self._declarer.bind(session_id)

    async def unbind(self, session_id: str) -> None:
        """Stop routing the session's commands here. Raises `DependencyError`; idempotent."""
        with _as_dependency():
            await self._declarer.unbind(session_id)

    async def unbind_from(self, session_id: str, worker_id: str) -> None:
        """Stop routing the session's commands to another worker's queue, if it has one.

        Raises `DependencyError`; idempotent.
        """
        with _as_dependency():
            await self._declarer.unbind_from(session_id, worker_id)

    async def unbind_disowned(self, session_id: str) -> None:
        """Stop routing the session's commands here if it was disowned, or never bound here.

        Raises `DependencyError`; idempotent.
        """
        with _as_dependency():
            await self._declarer.unbind_disowned(session_id)

    def disown(self, session_id: str) -> None:
        """Leave a session's binding to its new owner: never make it again here."""
        self._declarer.disown(session_id)

    async def is_listening(self, worker_id: str) -> bool:
        """Whether anybody consumes a worker's queue now. Raises `DependencyError`."""
        with _as_dependency():
            return await self._declarer.is_consumed(worker_id)


@contextlib.contextmanager
def _as_dependency() -> Iterator[None]:
    """At run time a refusal is for whoever runs the broker to mend; until then it is unusable."""
    try:
        yield
    except ConfigurationError as error:
        raise DependencyError(error.detail) from error
