"""The composition root: opens everything in order, and closes it in reverse.

Read `run` from top to bottom for the start and from bottom to top for the end: at a stop signal the
consumer takes no more commands and what has begun is finished, the sessions end their hosts, the
recorder commits and the relay publishes what is left, and only then the connections close. What
leads outside is in `adapters.py`, what works inside in `parts.py`, what can be seen of it in
`observation.py`; how the time for the end is divided is in `runtime/budget.py`.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog

from gateway_contracts import WorkerDraining, WorkerStopped
from gateway_worker.adapters import open_adapters
from gateway_worker.config import Environment, Settings
from gateway_worker.counts import Counts
from gateway_worker.errors import ConfigurationError, GatewayError
from gateway_worker.health import HealthSidecar, Lifecycle, Phase
from gateway_worker.log import Logging, configure_logging, flush_logging
from gateway_worker.media.outgoing import sweep
from gateway_worker.metrics import make_metrics
from gateway_worker.observation import observe, observe_logs
from gateway_worker.parts import Parts, build_parts
from gateway_worker.runtime.allocator import settle_allocator
from gateway_worker.runtime.budget import Stage, StopBudget
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.runtime.deadline import ExitDeadline
from gateway_worker.runtime.descriptors import needed_for, raise_descriptor_limit
from gateway_worker.runtime.observer import Observer
from gateway_worker.runtime.os_errors import explain
from gateway_worker.runtime.retry import Backoff
from gateway_worker.runtime.service import Service, running
from gateway_worker.runtime.signals import stop_on_signals
from gateway_worker.runtime.starting import StoppedError, unless_stopped
from gateway_worker.sessions.ownership.disk import Disk, claimed, settle
from gateway_worker.version import VERSION

log = structlog.get_logger(__name__)

EXIT_FORCED = 3
"""The exit code of a worker whose stop took longer than it may."""
_THREADS = 32
_ASK_SECONDS = 3.0
"""How long a question to the database may hold up the end."""


async def run(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT, or until a part of it fails.

    Raises:
        ConfigurationError: It cannot start as it is configured.
        DependencyError: A service cannot be reached at the start.
        Exception: What a part failed with.
    """
    logs = _set_up_logging(settings)
    _settle_memory()
    _settle_descriptors(settings)
    _settle_threads()
    _tell_risks(settings)
    stop = asyncio.Event()
    deadline = ExitDeadline(code=EXIT_FORCED, last_words=_last_words)
    budget = StopBudget(drain_seconds=settings.drain_seconds, began=deadline.set)
    clock = SystemClock()
    metrics = make_metrics(versions={"worker": VERSION, "neonize": version("neonize")})
    observe_logs(metrics, logs)
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
        stack.enter_context(stop_on_signals(stop, asked=budget.begin))
        sidecar.bind()  # a port that is taken shows before anything else is opened
        start = _Start(stack=stack, stop=stop, budget=budget)
        await start.observer(sidecar, Stage.CONNECTIONS)
        try:
            parts = await _open(start, settings, disk, sidecar, Counts(metrics=metrics))
            resumed = await _work(start, parts)
        except StoppedError:
            log.info("worker.start_stopped")
            return
        except BaseException:
            budget.begin()  # what has begun ends in time, or by force
            raise
        lifecycle.enter(Phase.RUNNING)
        log.info("worker.started", sessions=resumed, version=VERSION)
        await stop.wait()
        budget.begin()
        lifecycle.enter(Phase.DRAINING)
        log.info("worker.draining")
    log.info("worker.stopped")


class _Start:
    """Starts one part after the other, and sees to it that they end in reverse order."""

    def __init__(self, *, stack: AsyncExitStack, stop: asyncio.Event, budget: StopBudget) -> None:
        self.stack = stack
        self.stop = stop
        self.budget = budget

    async def observer(self, service: Service, stage: Stage) -> None:
        """Run a service whose failure is no reason for the worker to end."""
        await self.service(Observer(service), stage, name=type(service).__name__)

    async def service(self, service: Service, stage: Stage, *, name: str | None = None) -> None:
        """Run a service from here on until the stack is left."""
        entered = running(
            service,
            worker_stop=self.stop,
            grace_seconds=partial(self.budget.left, stage),
            name=name or type(service).__name__,
        )
        await self.stack.enter_async_context(entered)

    def at_the_end(self, stage: Stage, work: Callable[[], Awaitable[object]], name: str) -> None:
        """Do something when the stack is left, within the time of its stage."""
        self.stack.push_async_callback(self.budget.bounded, stage, work, name)


async def _open(
    start: _Start, settings: Settings, disk: Disk, sidecar: HealthSidecar, counts: Counts
) -> Parts:
    """Open what leads outside and build what works inside.

    Raises:
        StoppedError: The worker is to stop; nothing has begun that would have to be saved.
    """
    try:
        adapters = await unless_stopped(
            start.stop, open_adapters(start.stack, settings, start.budget)
        )
        parts = build_parts(settings, adapters, disk, counts)
        settled = settle(
            disk,
            parts.leases,
            fleet=adapters.fleet,
            are_portable=adapters.snapshots.are_portable,
        )
        await unless_stopped(start.stop, settled)
        observe(sidecar, counts.metrics, adapters, parts, features=settings.features)
        start.at_the_end(Stage.SIGN_OFF, partial(_leave, parts), "sign off")
        # Before others may have the sessions, nothing of them may run here any more.
        start.at_the_end(Stage.SIGN_OFF, adapters.hosts.end_all, "end hosts")
        start.at_the_end(
            Stage.SIGN_OFF, partial(parts.reports.heartbeat.farewell, WorkerStopped), "farewell"
        )
        await start.service(parts.route_cache, Stage.RELAY)
        await start.service(parts.outbox.relay, Stage.RELAY)
        await start.service(parts.outbox.recorder, Stage.RECORDER)
        await start.observer(parts.pruner, Stage.RECORDER)
        start.at_the_end(Stage.SIDE_WORK, parts.sessions.background.join, "side work")
        await start.service(parts.commands.inbox, Stage.SIDE_WORK)
        await unless_stopped(start.stop, parts.lease.begin())
    except StoppedError:
        start.budget.hurry()
        raise
    return parts


async def _work(start: _Start, parts: Parts) -> int:
    """Hold the lease, take up the sessions and let commands in; returns how many sessions.

    Raises:
        StoppedError: The worker is to stop; what has begun until then ends in good order.
    """
    await asyncio.to_thread(sweep, parts.sessions.factory.data.sessions)
    await start.service(parts.lease, Stage.SIDE_WORK)
    await start.service(parts.sessions.manager, Stage.SESSIONS)
    resumed = await unless_stopped(start.stop, parts.sessions.manager.resume())
    await start.observer(parts.sessions.quarantine_retries, Stage.HELPERS)
    await start.observer(parts.snapshot_schedule, Stage.COMMANDS)
    if parts.tenants.keys is not None:
        await start.observer(parts.tenants.keys, Stage.COMMANDS)
    await start.service(parts.commands.dispatcher, Stage.COMMANDS)
    await start.service(parts.consumer, Stage.COMMANDS)
    start.at_the_end(Stage.COMMANDS, parts.commands.dispatcher.give_back, "give back")
    start.at_the_end(Stage.COMMANDS, parts.consumer.stop_intake, "stop intake")
    # What still comes for those that have gone is sent on while commands come to their end.
    start.at_the_end(Stage.COMMANDS, partial(_hand_over, parts, start.budget), "hand over")
    # Ended before sessions leave and commands are given back: what they bring is in the database.
    await start.observer(parts.commands.feeder, Stage.HELPERS)
    await start.observer(parts.commands.bulk_feeder, Stage.HELPERS)
    await start.observer(parts.sessions.orphan_spools, Stage.HELPERS)
    await start.observer(parts.sessions.silence_watch, Stage.HELPERS)
    await start.observer(parts.reviews, Stage.HELPERS)
    await start.service(parts.failover, Stage.HELPERS)
    # Ended early: whoever waits for a file is not to hold up its session's leaving.
    await start.observer(parts.media, Stage.HELPERS)
    start.at_the_end(
        Stage.HELPERS, partial(parts.reports.heartbeat.farewell, WorkerDraining), "announce"
    )
    await start.observer(parts.reports.heartbeat, Stage.HELPERS)
    await start.observer(parts.reports.capacity, Stage.HELPERS)
    return resumed


def _set_up_logging(settings: Settings) -> Logging:
    try:
        return configure_logging(settings.log, fields={"worker_id": settings.worker_id})
    except OSError as error:
        raise ConfigurationError(f"LOG_FILE: {explain(error)}") from error


def _settle_threads() -> None:
    """Have threads enough for files: by default there are four more than processors.

    What is copied or unpacked for many sessions at once must not hold up what is short.
    """
    executor = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="worker")
    asyncio.get_running_loop().set_default_executor(executor)


def _settle_descriptors(settings: Settings) -> None:
    """Have as many descriptors as there may be, and say if those are too few."""
    limit = raise_descriptor_limit()
    log.info("process.descriptors", limit=limit.now, before=limit.before)
    if not limit.suffices_for(settings.capacity):
        log.warning(
            "process.few_descriptors",
            limit=limit.now,
            needed=needed_for(settings.capacity),
            capacity=settings.capacity,
            remedy="raise the hard limit of open files (nofile), or lower CAPACITY",
        )


def _last_words() -> None:
    log.error("worker.stop_forced")
    flush_logging(0.4)


async def _hand_over(parts: Parts, budget: StopBudget) -> None:
    """Give the sessions to other workers, and their commands with them.

    While the database is unavailable nobody can be given a session: they stay connected until it is
    back, or until the time for that is over; then they are taken over later.
    """
    parts.sessions.manager.registry.take_no_more()
    backoff = Backoff(initial_seconds=0.2, maximum_seconds=1.0)
    while not await _announced(parts):
        pause = backoff.next_seconds()
        if not parts.drain.has_work or pause >= budget.left(Stage.HANDOVER):
            return
        await asyncio.sleep(pause)
    seconds = budget.left(Stage.HANDOVER)
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
    await parts.presence.leave()


def _tell_risks(settings: Settings) -> None:
    """Say what is not safe in production and was allowed; the rest has kept the worker from it."""
    if settings.environment is Environment.PRODUCTION:
        for risk in settings.risks():
            log.warning("settings.insecure", allowed=risk.kind.value, variable=risk.variable)


def _settle_memory() -> None:
    """Keep the collector from walking all that was imported, and large blocks from staying here."""
    settle_allocator()
    gc.unfreeze()  # what importing has left behind is thrown away, once
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
