"""The composition root: opens everything in order, and closes it in reverse.

Read `run` from top to bottom for the start and from bottom to top for the end: at a stop signal the
consumer takes no more commands and what has begun is finished, the sessions end their hosts, the
recorder commits and the relay publishes what is left, and only then the connections close. What the
parts are made of is in `parts.py`, what can be seen of them in `observation.py`.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import version

import structlog

from gateway_contracts import WorkerDraining, WorkerStopped
from gateway_worker.broker.client import Broker
from gateway_worker.config import Settings
from gateway_worker.errors import GatewayError
from gateway_worker.health import HealthSidecar, Lifecycle, Phase
from gateway_worker.log import configure_logging
from gateway_worker.metrics import make_metrics
from gateway_worker.observation import Counts, observe
from gateway_worker.parts import Parts, build_parts, open_adapters, open_database, reach_cache
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.runtime.retry import Backoff
from gateway_worker.runtime.service import Service, running
from gateway_worker.runtime.signals import stop_on_signals
from gateway_worker.sessions.ownership.disk import claimed, settle
from gateway_worker.storage.objects.client import Objects
from gateway_worker.version import VERSION

log = structlog.get_logger(__name__)

_ASK_SECONDS = 3.0
"""How long a question to the database may hold up the end."""
_DRAIN_PART = 0.6
"""How much of the time for draining goes to the handover of sessions."""


async def run(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT, or until a part of it fails.

    Raises:
        ConfigurationError: It cannot start as it is configured.
        DependencyError: A service cannot be reached at the start.
        Exception: What a part failed with.
    """
    configure_logging(settings.log, fields={"worker_id": settings.worker_id})
    _settle_memory()
    stop = asyncio.Event()
    clock = SystemClock()
    metrics = make_metrics(versions={"worker": VERSION, "neonize": version("neonize")})
    lifecycle = Lifecycle(clock=clock)
    sidecar = HealthSidecar(
        settings=settings.health,
        worker_id=settings.worker_id,
        metrics=metrics,
        lifecycle=lifecycle,
        clock=clock,
    )
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(claimed(settings.data_dir, worker_id=settings.worker_id))
        stack.enter_context(stop_on_signals(stop))
        sidecar.bind()  # a port that is taken shows before anything else is opened
        await _start(stack, sidecar, stop=stop, grace_seconds=5)
        adapters = await open_adapters(stack, settings)
        parts = build_parts(settings, adapters, disk, Counts(metrics=metrics))
        await settle(
            disk,
            parts.leases,
            fleet=adapters.fleet,
            are_portable=adapters.snapshots.are_portable,
        )
        observe(sidecar, metrics, adapters, parts)

        stack.push_async_callback(_leave, parts)
        stack.push_async_callback(parts.heartbeat.farewell, WorkerStopped)
        await _start(stack, parts.routes, stop=stop, grace_seconds=3)
        await _start(stack, parts.relay, stop=stop, grace_seconds=10)
        await _start(stack, parts.recorder, stop=stop, grace_seconds=10)
        await _start(stack, parts.pruner, stop=stop, grace_seconds=1)
        stack.push_async_callback(parts.background.join)
        await _start(stack, parts.inbox, stop=stop, grace_seconds=5)
        await parts.lease.begin()
        await _start(stack, parts.lease, stop=stop, grace_seconds=1)
        resumed = await parts.manager.resume()
        await _start(stack, parts.manager, stop=stop, grace_seconds=20)
        await _start(stack, parts.copies, stop=stop, grace_seconds=2)
        await _start(stack, parts.dispatcher, stop=stop, grace_seconds=settings.drain_seconds)
        await _start(stack, parts.consumer, stop=stop, grace_seconds=settings.drain_seconds)
        stack.push_async_callback(parts.dispatcher.give_back)
        stack.push_async_callback(parts.consumer.stop_intake)
        stack.push_async_callback(_hand_over, parts, settings)
        await _start(stack, parts.leftovers, stop=stop, grace_seconds=2)
        await _start(stack, parts.caretaker, stop=stop, grace_seconds=5)
        stack.push_async_callback(parts.heartbeat.farewell, WorkerDraining)
        await _start(stack, parts.heartbeat, stop=stop, grace_seconds=5)
        await _start(stack, parts.capacity, stop=stop, grace_seconds=5)
        lifecycle.enter(Phase.RUNNING)
        log.info("worker.started", worker_id=settings.worker_id, sessions=resumed, version=VERSION)
        await stop.wait()
        lifecycle.enter(Phase.DRAINING)
        log.info("worker.draining")
    log.info("worker.stopped")


async def _hand_over(parts: Parts, settings: Settings) -> None:
    """Give the sessions to other workers, and their commands with them.

    While the database is away nobody can be given a session: they stay connected until it is back,
    or until the time for that is over; then they are taken over later.
    """
    parts.manager.take_no_more()
    end = time.monotonic() + settings.drain_seconds * _DRAIN_PART
    backoff = Backoff(initial_seconds=0.2, maximum_seconds=1.0)
    while not await _announced(parts):
        pause = backoff.next_seconds()
        if not parts.drain.has_work or time.monotonic() + pause >= end:
            return
        await asyncio.sleep(pause)
    seconds = max(0.0, end - time.monotonic())
    await parts.drain.run(seconds=seconds, after_outage=backoff.attempts > 0)


async def _announced(parts: Parts) -> bool:
    """Say that this worker takes no more sessions."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            await parts.leases.drain()
    except (GatewayError, TimeoutError) as error:
        log.warning("drain.not_announced", reason=repr(error))
        return False
    return True


async def _leave(parts: Parts) -> None:
    """Sign off: what is still ours may be taken over at once."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            await parts.leases.leave()
    except (GatewayError, TimeoutError) as error:
        log.warning("worker.not_signed_off", reason=repr(error))
    await parts.workers.leave()


def _settle_memory() -> None:
    """Keep the collector from walking all that was imported, again and again, for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def check(settings: Settings) -> list[str]:
    """Reach for every service once; returns what is wrong, a line each."""
    configure_logging(settings.log)
    problems: list[str] = []
    openings: dict[str, Callable[[AsyncExitStack], Awaitable[object]]] = {
        "RabbitMQ": lambda stack: stack.enter_async_context(
            Broker.open(settings.broker, worker_id=settings.worker_id)
        ),
        "PostgreSQL": lambda stack: open_database(stack, settings),
        "Redis": lambda stack: reach_cache(stack, settings),
        "S3": lambda stack: stack.enter_async_context(Objects.open(settings.objects)),
    }
    for name, opening in openings.items():
        async with AsyncExitStack() as stack:
            try:
                await opening(stack)
            except GatewayError as error:
                problems.append(f"{name}: {error}")
    return problems


async def _start(
    stack: AsyncExitStack, service: Service, *, stop: asyncio.Event, grace_seconds: float
) -> None:
    """Run a service from here on until the stack is left."""
    name = type(service).__name__
    await stack.enter_async_context(
        running(service, worker_stop=stop, grace_seconds=grace_seconds, name=name)
    )
