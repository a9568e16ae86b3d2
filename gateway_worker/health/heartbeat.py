"""What the worker says of itself on RabbitMQ: that it has started, lives, drains, has stopped."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from gateway_contracts import (
    LogLevel,
    SessionState,
    WorkerDraining,
    WorkerHeartbeat,
    WorkerLoad,
    WorkerStarted,
    WorkerStopped,
)
from gateway_worker.errors import GatewayError
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.outbox.ports import Backlog
from gateway_worker.version import VERSION

log = structlog.get_logger(__name__)

T = TypeVar("T")
WorkerEvent = WorkerStarted | WorkerHeartbeat | WorkerDraining | WorkerStopped
_FAREWELL_SECONDS = 1.0
_LAST_LOOK_SECONDS = 0.5
"""How long the figures of a farewell may take; then it has those of before."""


class WorkerEvents(Protocol):
    """Publishes what a worker says of itself."""

    async def publish_worker_event(self, message: WorkerEvent) -> None:
        """Publish one event. Raises `DependencyError`."""
        ...


class Carried(Protocol):
    """What the worker carries (implemented by the session registry)."""

    @property
    def capacity(self) -> int:
        """Sessions it may hold."""
        ...

    def states(self) -> dict[SessionState, int]:
        """Return how many sessions are in each state."""
        ...


class Rate:
    """Counts, and tells how many per second since the last look."""

    def __init__(self) -> None:
        self._count = 0
        self._since = time.monotonic()

    def add(self) -> None:
        """Count one."""
        self._count += 1

    def per_second(self) -> float:
        """Return the rate since the last call, and begin anew."""
        now = time.monotonic()
        rate = self._count / max(1e-3, now - self._since)
        self._count, self._since = 0, now
        return round(rate, 2)


class LoadReport:
    """Puts together what a heartbeat says.

    Args:
        worker_id: This worker.
        carried: Its sessions.
        resources: Its memory and CPU.
        queue_depth: Asks the broker for the depth of its queue; raises `DependencyError`.
        outbox: Asks the database what waits in the outbox; raises `DependencyError`.
        log_level: Tells what the worker logs now.
        commands: Counts commands brought to an end.
        events: Counts events published.

    Attributes:
        last: The figures of the last heartbeat.
        backlog: What waited in the outbox when the database last answered.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        carried: Carried,
        resources: ResourceMeter,
        queue_depth: Callable[[], Awaitable[int]],
        outbox: Callable[[], Awaitable[Backlog]],
        log_level: Callable[[], LogLevel],
        commands: Rate,
        events: Rate,
    ) -> None:
        self._worker_id = worker_id
        self._carried = carried
        self._resources = resources
        self._queue_depth = queue_depth
        self._outbox = outbox
        self._log_level = log_level
        self.backlog = Backlog()
        self._started = time.monotonic()
        self._commands = commands
        self._events = events
        self.last = WorkerLoad(
            worker=worker_id,
            version=VERSION,
            capacity=carried.capacity,
            sessions={},
            cpu_percent=0.0,
            memory_bytes=0,
        )

    async def load(self) -> WorkerLoad:
        """Return the figures of now; those that cannot be had are left out or zero."""
        usage = await self._resources.measure()
        backlog = await _unless_away(self._outbox)
        if backlog is not None:
            self.backlog = backlog
        self.last = WorkerLoad(
            worker=self._worker_id,
            version=VERSION,
            capacity=self._carried.capacity,
            sessions=self._carried.states(),
            cpu_percent=usage.cpu_percent,
            memory_bytes=usage.worker_rss_bytes + usage.hosts_pss_bytes,
            queue_depth=await _unless_away(self._queue_depth),
            outbox_depth=0 if backlog is None else backlog.depth,
            commands_per_second=self._commands.per_second(),
            events_per_second=self._events.per_second(),
            uptime_seconds=round(time.monotonic() - self._started, 1),
            log_level=self._log_level(),
        )
        return self.last


class Heartbeat:
    """Publishes heartbeats at an interval, and the worker's start and end.

    Args:
        worker_id: This worker.
        report: What to say.
        events: Where to say it.
        interval_seconds: Time between heartbeats.
        on_beat: Called with each load: for the database's and the cache's notion of live workers.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        report: LoadReport,
        events: WorkerEvents,
        interval_seconds: float,
        on_beat: Callable[[WorkerLoad], Awaitable[None]],
    ) -> None:
        self._worker_id = worker_id
        self._report = report
        self._events = events
        self._interval_seconds = interval_seconds
        self._on_beat = on_beat

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop` is set."""
        await self.say(WorkerStarted)
        while not stop.is_set():
            await self.say(WorkerHeartbeat)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await stop.wait()

    async def farewell(self, kind: type[WorkerDraining] | type[WorkerStopped]) -> None:
        """Say that the worker drains or has stopped; what is unavailable is not waited for."""
        load = self._report.last
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_LOOK_SECONDS):
                load = await self._report.load()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._publish(kind, load)

    async def say(self, kind: type[WorkerEvent]) -> None:
        """Publish one event; a failure is logged, the next beat comes anyway."""
        await self._publish(kind, await self._report.load())

    async def _publish(self, kind: type[WorkerEvent], load: WorkerLoad) -> None:
        event = kind(source=f"/workers/{self._worker_id}", subject=self._worker_id, data=load)
        try:
            await self._events.publish_worker_event(event)
            await self._on_beat(load)
        except GatewayError as error:
            log.warning("heartbeat.failed", event_type=event.type, reason=str(error))


async def _unless_away(ask: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await ask()
    except GatewayError:
        return None
