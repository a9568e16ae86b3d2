"""How a long-running part of the worker lives: started in the background, watched, drained, ended.

`app.py` enters `running(...)` for one service after the other; leaving its exit stack stops them in
the reverse order, each with time to finish what it has begun.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import structlog

from gateway_worker.errors import PermanentError

log = structlog.get_logger(__name__)

CANCEL_SECONDS = 0.5
"""How long a service that was cancelled may take to clean up before it is left behind."""


class Service(Protocol):
    """Something that works until it is asked to stop."""

    async def run(self, stop: asyncio.Event, /) -> None:
        """Work until `stop` is set, then finish what has begun and return.

        Returning earlier counts as a failure. May be cancelled if finishing takes too long.
        """
        ...


class ServiceError(PermanentError):
    """A service did not keep to its contract; the text names it and says how."""


AnyService = TypeVar("AnyService", bound=Service)


@asynccontextmanager
async def running(
    service: AnyService,
    *,
    worker_stop: asyncio.Event,
    grace_seconds: float | Callable[[], float],
    name: str,
) -> AsyncIterator[AnyService]:
    """Run a service beside the block; leaving the block stops it and waits for its end.

    Args:
        service: What to run.
        worker_stop: Set as soon as the service fails or returns although nobody stopped it, so
            that the block can leave and everything else is stopped in order.
        grace_seconds: How long the service may take to finish after its own stop event is set, or
            what says so at that moment; then it is cancelled.
        name: Name of its task and in log events.

    Raises:
        Exception: What the service failed with, on leaving the block. An exception of the block
            itself goes first; the service's failure is then only logged.
        ServiceError: The service returned before it was stopped.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop), name=name)

    def ended(task: "asyncio.Task[None]") -> None:
        if task.cancelled() or task.exception() is None:
            if not stop.is_set():
                log.error("service.ended_early", service=name)
        else:
            log.error("service.failed", service=name, exc_info=task.exception())
        if not stop.is_set():
            worker_stop.set()

    task.add_done_callback(ended)
    log.debug("service.started", service=name)
    block_failed = True
    try:
        yield service
        block_failed = False
    finally:
        ended_early = task.done()
        stop.set()
        grace = grace_seconds() if callable(grace_seconds) else grace_seconds
        failure = await _drain(task, grace_seconds=grace, name=name)
        if failure is None and ended_early:
            failure = ServiceError(f"the service {name} ended before it was stopped")
        if failure is not None and not block_failed:
            raise failure


async def _drain(
    task: "asyncio.Task[None]", *, grace_seconds: float, name: str
) -> BaseException | None:
    """Wait for a task that is to stop, with force in the end; returns what it failed with."""
    try:
        await asyncio.wait((task,), timeout=grace_seconds)
    finally:  # also when the wait itself is cancelled: nothing may keep running behind the caller
        if not task.done():
            log.warning("service.cancelled", service=name, grace_seconds=round(grace_seconds, 2))
            task.cancel()
            await asyncio.wait((task,), timeout=CANCEL_SECONDS)
    if not task.done():  # left behind: no reason for the others not to end in good order
        log.error("service.stuck", service=name)
        return None
    log.debug("service.stopped", service=name)
    return None if task.cancelled() else task.exception()
