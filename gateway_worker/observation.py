"""What the worker lets others see of itself: counts for Prometheus, answers for the probes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from gateway_worker.broker.client import Broker
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.commands.dispatcher import Dispatcher
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.health import (
    CheckResult,
    HealthSidecar,
    resources_section,
    sessions_section,
)
from gateway_worker.health.capacity import CapacityWatch
from gateway_worker.health.heartbeat import LoadReport, Rate
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.log import SINKS, Logging
from gateway_worker.metrics import SNAPSHOT_TROUBLES, Metrics
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.outbox.relay import Relay
from gateway_worker.sessions.inbound.orphan_spools import OrphanSpools
from gateway_worker.sessions.inbound.quarantine_retry import QuarantineRetries
from gateway_worker.sessions.ownership.lease import LeaseKeeper
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ownership.takeover import FailoverService
from gateway_worker.storage.cache.client import Cache
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.objects.client import Objects
from gateway_worker.storage.objects.snapshots import Snapshots
from gateway_worker.whatsapp.launcher import HostProcesses


class Counts:
    """Counts where things happen: for the metrics, and as rates for the heartbeats.

    Args:
        metrics: The worker's instruments.
    """

    def __init__(self, *, metrics: Metrics) -> None:
        self.metrics = metrics
        self.commands = Rate()
        self.events = Rate()

    def command_settled(self, command_type: str, outcome: str, stopwatch: Stopwatch) -> None:
        """Count a command that has come to its end."""
        self.commands.add()
        self.metrics.observe_command(command_type, outcome, stopwatch.total_seconds)
        self.metrics.queue_wait_seconds.observe(stopwatch.seconds("queue"))

    def event_published(self, event_type: str, lag_seconds: float) -> None:
        """Count an event that the broker has confirmed, so long after its commit."""
        self.events.add()
        self.metrics.count_event(event_type)
        self.metrics.relay_lag_seconds.observe(lag_seconds)

    # What sessions tell (their `SessionObserver`).

    def host_restarted(self) -> None:
        """Count a host that is started again."""
        self.metrics.host_restarts.inc()

    def host_exited(self, *, expected: bool) -> None:
        """Count a host that has ended."""
        self.metrics.count_host_exit(expected=expected)

    def library_stopped(self) -> None:
        """Count a library that has given its connection up."""
        self.metrics.library_stops.inc()

    def link_restored(self) -> None:
        """Count a connection to WhatsApp that came back."""
        self.metrics.reconnects.labels("whatsapp").inc()

    def message_arrived(self) -> None:
        """Count a message from WhatsApp."""
        self.metrics.inbound_messages.inc()


class Observed(Protocol):
    """The parts that are looked at."""

    @property
    def manager(self) -> SessionManager:
        """The sessions."""
        ...

    @property
    def dispatcher(self) -> Dispatcher:
        """The commands in work."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Where they are entered."""
        ...

    @property
    def recorder(self) -> Recorder:
        """Where changes are committed."""
        ...

    @property
    def relay(self) -> Relay:
        """Where events go out."""
        ...

    @property
    def consumer(self) -> CommandConsumer:
        """Where commands come in."""
        ...

    @property
    def resources(self) -> ResourceMeter:
        """Memory and CPU."""
        ...

    @property
    def lease(self) -> LeaseKeeper:
        """The worker's lease."""
        ...

    @property
    def failover(self) -> FailoverService:
        """Who takes sessions over."""
        ...

    @property
    def quarantine_retries(self) -> QuarantineRetries:
        """What tells again the arrivals that the database has refused."""
        ...

    @property
    def report(self) -> LoadReport:
        """What heartbeats say."""
        ...

    @property
    def orphan_spools(self) -> OrphanSpools:
        """What sessions have left on the disk."""
        ...

    @property
    def capacity(self) -> CapacityWatch:
        """The room of the fleet."""
        ...


class Outside(Protocol):
    """The adapters that are asked."""

    @property
    def broker(self) -> Broker:
        """RabbitMQ."""
        ...

    @property
    def database(self) -> Database:
        """PostgreSQL."""
        ...

    @property
    def cache(self) -> Cache:
        """Redis."""
        ...

    @property
    def objects(self) -> Objects:
        """S3."""
        ...

    @property
    def snapshots(self) -> Snapshots:
        """Copies of device stores."""
        ...

    @property
    def hosts(self) -> HostProcesses:
        """The hosts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """A dependency as the probes ask it."""

    name: str
    required: bool
    ask: Callable[[], Awaitable[None]]

    async def check(self) -> CheckResult:
        """Ask once."""
        try:
            await self.ask()
        except GatewayError as error:
            return CheckResult(ok=False, detail=str(error))
        return CheckResult(ok=True)


def observe_logs(metrics: Metrics, logs: Logging) -> None:
    """Let the metrics follow what the logs have left out."""
    for sink in SINKS:
        metrics.follow(metrics.log_lines_dropped.labels(sink), partial(logs.sinks.dropped, sink))
    metrics.follow(metrics.log_lines_repeated, lambda: logs.throttle.left_out)


def observe(sidecar: HealthSidecar, metrics: Metrics, adapters: Outside, parts: Observed) -> None:
    """Let the probes ask the dependencies, and the metrics follow what is counted elsewhere."""

    async def ask_broker() -> None:
        health = adapters.broker.check()
        if not health.ready:
            raise DependencyError("; ".join(health.problems))

    async def ask_backlogs() -> None:
        if problems := adapters.broker.backlog_problems:
            raise DependencyError("; ".join(problems))

    async def ask_database() -> None:
        # Without the database no command can be entered: leave them to the broker meanwhile.
        try:
            await adapters.database.check()
        except BaseException:  # also when the check is given up because it hangs
            parts.consumer.pause()
            raise
        parts.consumer.resume()

    for name, required, ask in (
        ("rabbitmq", True, ask_broker),
        ("postgresql", True, ask_database),
        ("backends", False, ask_backlogs),
        ("redis", False, adapters.cache.check),
        ("s3", False, adapters.objects.check),
    ):
        sidecar.add_check(_Check(name=name, required=required, ask=ask))
    sidecar.add_section("sessions", sessions_section(parts.manager))
    sidecar.add_section("resources", resources_section(parts.resources))
    sidecar.add_section(
        "refused_arrivals",
        lambda: {
            "refused": parts.quarantine_retries.refused,
            "told_again": parts.quarantine_retries.told,
            "waiting": parts.quarantine_retries.waiting,
        },
    )
    _follow(metrics, adapters, parts)


def _follow(metrics: Metrics, adapters: Outside, parts: Observed) -> None:
    stats = adapters.broker.stats
    metrics.follow(metrics.reconnects.labels("rabbitmq"), lambda: stats().reconnects)
    metrics.follow(metrics.returned_publishes, lambda: stats().returned + stats().refused)
    metrics.follow(metrics.publish_timeouts, lambda: stats().publish_timeouts)
    metrics.follow(metrics.settle_timeouts, lambda: stats().settle_failures)
    metrics.follow(metrics.redeliveries, lambda: stats().reattached + stats().acknowledged_again)
    metrics.follow(metrics.dead_letters, lambda: stats().dead_lettered)
    metrics.follow(metrics.mended, lambda: stats().mended)
    metrics.follow(metrics.unpublishable, lambda: stats().unpublishable)
    metrics.follow(metrics.passed_over, lambda: parts.relay.passed_over)
    metrics.follow(metrics.claims_ignored, lambda: stats().claims_ignored)
    metrics.follow(metrics.oversized, lambda: stats().oversized)
    metrics.follow(metrics.events_ignored, lambda: parts.dispatcher.events_ignored)
    metrics.follow(metrics.refusals_untold, lambda: parts.dispatcher.refusals_untold)
    metrics.follow(metrics.swallowed_messages, lambda: adapters.hosts.notices["message_lost"])
    troubles = adapters.snapshots.troubles
    for kind in SNAPSHOT_TROUBLES:
        metrics.follow(metrics.snapshot_troubles.labels(kind), partial(troubles.__getitem__, kind))
    metrics.follow(metrics.commands_misrouted, lambda: parts.dispatcher.misrouted)
    metrics.follow(metrics.partial_records, lambda: adapters.hosts.notices["record_partial"])
    metrics.follow(metrics.lease_lapses, lambda: parts.lease.lapses)
    metrics.follow(metrics.taken_over, lambda: parts.failover.taken)
    metrics.follow(metrics.handed_over, lambda: parts.manager.handed_over)
    metrics.follow(metrics.refused_arrivals, lambda: parts.quarantine_retries.refused)
    metrics.follow(metrics.retold_arrivals, lambda: parts.quarantine_retries.told)
    metrics.capacity.set(parts.manager.capacity)

    def gauges() -> None:
        usage = parts.resources.last
        metrics.set_sessions(parts.manager.states())
        metrics.hosts.set(len(adapters.hosts.host_pids))
        metrics.commands_waiting.set(parts.dispatcher.waiting)
        metrics.commands_held.set(parts.dispatcher.held)
        metrics.outbox_depth.set(parts.report.last.outbox_depth)
        metrics.unassigned_waiting.set(parts.capacity.last.waiting)
        metrics.stores_kept.set(parts.orphan_spools.kept)
        metrics.fleet_room.set(parts.capacity.last.free)
        metrics.fleet_stranded.set(parts.failover.stranded)
        metrics.refused_waiting.set(parts.quarantine_retries.waiting)
        metrics.held_aside.set(parts.recorder.held_aside + parts.inbox.held_aside)
        for name, depth in adapters.broker.depths.items():
            metrics.queue_depth.labels(name).set(depth)
        metrics.cpu_percent.set(usage.cpu_percent)
        metrics.worker_memory_bytes.set(usage.worker_rss_bytes)
        metrics.hosts_memory_bytes.set(usage.hosts_pss_bytes)

    metrics.on_refresh(gauges)
