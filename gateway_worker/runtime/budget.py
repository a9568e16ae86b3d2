"""How long a stop may take, divided over its stages: the one place where that is decided.

The time begins with the signal. Each stage has a mark that it must have reached by; what an
earlier one leaves over is the later ones'. A stage that is not done then is cancelled, and the next
one begins: the last ones (to sign off, to close connections) have time that nobody can take.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import Final, TypeVar

import structlog

log = structlog.get_logger(__name__)
Entered = TypeVar("Entered")

TAIL_SECONDS: Final = 10.0
"""After the drain time and this a worker is gone, whatever happens."""
CANCEL_SECONDS: Final = 0.5
"""How long what was cancelled may take to clean up before it is left behind."""
_CLOSE_SECONDS: Final = 0.2
"""The same for a connection: nothing is lost with it, and there are several."""
_ATTEMPT_SECONDS: Final = 2.0
"""The same for one that is not good enough, before the next is opened."""
_LEAST_SECONDS: Final = 0.05
_HURRY: Final = 0.06
"""How much of the tail a stop takes that has nothing to save."""


class Stage(Enum):
    """A stage of the stop: its part of the drain time, and its seconds of the tail."""

    HELPERS = (0.1, 0.0)
    """What tells of the worker, and what looks after others, ends."""
    HANDOVER = (0.6, 0.0)
    """Sessions go to other workers."""
    COMMANDS = (0.85, 0.0)
    """Commands that have begun come to their end."""
    SESSIONS = (1.0, 1.0)
    """Hosts leave."""
    SIDE_WORK = (1.0, 1.5)
    """What goes on beside: stores are copied, routes removed, directories cleared."""
    RECORDER = (1.0, 3.0)
    """What has happened is committed."""
    RELAY = (1.0, 4.5)
    """What is committed is published."""
    SIGN_OFF = (1.0, 6.5)
    """Others are told that the sessions can be had."""
    CONNECTIONS = (1.0, 7.5)
    """Hosts that are left are ended, connections closed."""
    EXIT = (1.0, 9.5)
    """The process is ended by force."""


class StopBudget:
    """Says how much time a stage of the stop has left.

    Args:
        drain_seconds: How long a worker may take to hand over and to finish.
        began: Called when the time begins to run, with the seconds until the end by force.
        monotonic: The clock; replaced in tests.
    """

    def __init__(
        self,
        *,
        drain_seconds: float,
        began: Callable[[float], None] = lambda _seconds: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._drain_seconds = drain_seconds
        self._tail = 1.0
        self._told = began
        self._monotonic = monotonic
        self._began: float | None = None

    def begin(self) -> None:
        """Let the time run from now; later calls change nothing. Signal handlers may call it."""
        if self._began is None:
            self._began = self._monotonic()
            self._told(self.left(Stage.EXIT))

    def hurry(self) -> None:
        """Let the whole stop take a part of a second from now: there is nothing to save."""
        self._drain_seconds, self._tail = 0.0, _HURRY
        self._began = self._monotonic()

    def left(self, stage: Stage) -> float:
        """Return how many seconds a stage has left: at least a moment, for a step in good order."""
        part, tail = stage.value
        self.begin()
        assert self._began is not None
        mark = self._began + self._drain_seconds * part + tail * self._tail
        return max(_LEAST_SECONDS, mark - self._monotonic())

    async def bounded(self, stage: Stage, work: Callable[[], Awaitable[object]], name: str) -> None:
        """Do a step of the stop within the time of its stage. Never raises."""
        await finish(work(), seconds=self.left(stage), name=name)

    @asynccontextmanager
    async def closing(
        self, context: AbstractAsyncContextManager[Entered], name: str
    ) -> AsyncIterator[Entered]:
        """Enter a context that is left within the time for connections, or left behind.

        If it is left before the stop, something that was tried is tried again: the time for the
        stop does not run from then on.
        """
        entered = await context.__aenter__()
        try:
            yield entered
        finally:
            leaving = context.__aexit__(None, None, None)
            is_stop = self._began is not None
            seconds = self.left(Stage.CONNECTIONS) if is_stop else _ATTEMPT_SECONDS
            await finish(leaving, seconds=seconds, name=name, cancel_seconds=_CLOSE_SECONDS)


async def finish(
    work: Awaitable[object], *, seconds: float, name: str, cancel_seconds: float | None = None
) -> bool:
    """Wait for something for so long, then cancel it; returns whether it has succeeded.

    What does not end when it is cancelled is left behind. Failures are logged.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            log.warning("stop.given_up", step=name, after_seconds=round(seconds, 2))
            task.cancel()
            timeout = CANCEL_SECONDS if cancel_seconds is None else cancel_seconds
            await asyncio.wait((task,), timeout=timeout)
    if not task.done():
        log.error("stop.stuck", step=name)
        return False
    if task.cancelled():
        return False
    if (error := task.exception()) is not None:
        log.error("stop.failed", step=name, exc_info=error)
    return error is None
