"""Watches for commands that no worker has room for, and says so before anybody asks.

A full worker leaves the commands for sessions without an owner to the others. If those are full too
the commands wait; that is nobody's failure, so nothing else would tell.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway_contracts import WorkerCapacity, WorkerCapacityData
from gateway_worker.errors import GatewayError

log = structlog.get_logger(__name__)


class CapacityEvents(Protocol):
    """Publishes what a worker says of itself."""

    async def publish_worker_event(self, message: WorkerCapacity) -> None:
        """Publish one event. Raises `DependencyError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What was found last.

    Attributes:
        waiting: Commands that wait for a worker with room.
        free: Sessions that all live workers together can still take.
    """

    waiting: int = 0
    free: int = 0

    @property
    def is_lacking(self) -> bool:
        """Whether something waits and nobody can take it."""
        return self.waiting > 0 and self.free == 0


class CapacityWatch:
    """Looks at an interval; each worker that is full speaks for itself, once per turn.

    Args:
        worker_id: This worker.
        is_full: Whether it can take no more sessions.
        waiting: Asks the broker how many commands wait; raises `DependencyError`.
        free: Asks the database for the room of the fleet; raises `DependencyError`.
        waiting_here: Commands that wait for room at this worker.
        on_full: Called at each look with whether nobody has room.
        events: Where to say it.
        interval_seconds: Time between two looks.

    Attributes:
        last: What was found last; what cannot be asked stays as it was.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        is_full: Callable[[], bool],
        waiting: Callable[[], Awaitable[int]],
        free: Callable[[], Awaitable[int]],
        waiting_here: Callable[[], int] = lambda: 0,
        on_full: Callable[[bool], None] = lambda _is_full: None,
        events: CapacityEvents,
        interval_seconds: float,
    ) -> None:
        self._worker_id = worker_id
        self._is_full = is_full
        self._waiting = waiting
        self._free = free
        self._waiting_here = waiting_here
        self._on_full = on_full
        self._events = events
        self._interval_seconds = interval_seconds
        self._has_said_so = False
        self.last = Room()

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await stop.wait()

    async def look(self) -> None:
        """Look once; what fails is logged, and the next look comes anyway."""
        try:
            waiting = await self._waiting() + self._waiting_here()
            self.last = room = Room(waiting=waiting, free=await self._free())
            self._on_full(room.free == 0 and self._is_full())
            if room.is_lacking and self._is_full() and not self._has_said_so:
                await self._say(room)
                self._has_said_so = True
                log.warning("capacity.lacking", waiting=room.waiting)
            elif self._has_said_so and not room.is_lacking:
                await self._say(room)
                self._has_said_so = False
                log.info("capacity.sufficient", waiting=room.waiting, room=room.free)
        except GatewayError as error:
            log.warning("capacity.not_watched", reason=str(error))

    async def _say(self, room: Room) -> None:
        data = WorkerCapacityData(
            worker=self._worker_id, waiting_commands=room.waiting, free_slots=room.free
        )
        source = f"/workers/{self._worker_id}"
        await self._events.publish_worker_event(
            WorkerCapacity(source=source, subject=self._worker_id, data=data)
        )
