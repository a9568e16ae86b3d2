"""What the worker lets others see of itself: counts for Prometheus, answers for the probes."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from gateway_contracts import BulkState, HealthGrade
from gateway_worker.adapters import Adapters
from gateway_worker.commands.features import Feature
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.health import (
    CheckResult,
    HealthSidecar,
    features_section,
    resources_section,
    sessions_section,
)
from gateway_worker.log import SINKS, Logging
from gateway_worker.metrics import IGNORED, OPEN_BULKS, ROW_ENDS, SNAPSHOT_TROUBLES, Metrics
from gateway_worker.parts import Parts
from gateway_worker.sessions.deferred import RowState


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


def observe(
    sidecar: HealthSidecar,
    metrics: Metrics,
    adapters: Adapters,
    parts: Parts,
    *,
    features: frozenset[Feature],
) -> None:
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
        *_tokens(parts),
    ):
        sidecar.add_check(_Check(name=name, required=required, ask=ask))
    sidecar.add_section("sessions", sessions_section(parts.sessions.manager.registry))
    sidecar.add_section("resources", resources_section(parts.reports.resources))
    sidecar.add_section("features", features_section(tuple(Feature), features))
    sidecar.add_section(
        "refused_arrivals",
        lambda: {
            "refused": parts.sessions.quarantine_retries.refused,
            "told_again": parts.sessions.quarantine_retries.recorded,
            "waiting": parts.sessions.quarantine_retries.waiting,
        },
    )
    _follow(metrics, adapters, parts)


def _tokens(parts: Parts) -> Iterator[tuple[str, bool, Callable[[], Awaitable[None]]]]:
    """Have the keys of tokens asked for, where there are tokens: without them commands wait."""
    keys = parts.tenants.keys
    if keys is None:
        return

    async def ask() -> None:
        if not keys.are_usable:
            raise DependencyError(f"the keys of tokens cannot be read: {keys.problem}")

    yield "keys", True, ask


def _follow(metrics: Metrics, adapters: Adapters, parts: Parts) -> None:
    stats = adapters.broker.stats
    metrics.follow(metrics.reconnects.labels("rabbitmq"), lambda: stats().reconnects)
    metrics.follow(metrics.returned_publishes, lambda: stats().returned + stats().refused)
    metrics.follow(metrics.publish_timeouts, lambda: stats().publish_timeouts)
    metrics.follow(metrics.settle_timeouts, lambda: stats().settle_failures)
    metrics.follow(metrics.redeliveries, lambda: stats().reattached + stats().acknowledged_again)
    metrics.follow(metrics.dead_letters, lambda: stats().dead_lettered)
    metrics.follow(metrics.subscriptions_unanswered, lambda: stats().unanswered)
    metrics.follow(metrics.subscriptions_renewed, lambda: stats().resubscribed)
    metrics.follow(metrics.mended, lambda: stats().mended)
    metrics.follow(metrics.unpublishable, lambda: stats().unpublishable)
    metrics.follow(metrics.passed_over, lambda: parts.outbox.relay.passed_over)
    metrics.follow(metrics.claims_ignored, lambda: stats().claims_ignored)
    metrics.follow(metrics.oversized, lambda: stats().oversized)
    metrics.follow(
        metrics.events_ignored, lambda: parts.commands.dispatcher.refusals.events_ignored
    )
    metrics.follow(metrics.refusals_untold, lambda: parts.commands.dispatcher.refusals.untold)
    metrics.follow(metrics.swallowed_messages, lambda: adapters.hosts.notices["message_lost"])
    _follow_sessions(metrics, adapters, parts)
    metrics.capacity.set(parts.sessions.manager.registry.capacity)
    metrics.on_refresh(partial(_show_sessions, metrics, adapters, parts))
    metrics.on_refresh(partial(_show_services, metrics, adapters, parts))
    metrics.on_refresh(partial(_show_traffic, metrics, parts))


def _follow_sessions(metrics: Metrics, adapters: Adapters, parts: Parts) -> None:
    for reason in IGNORED:
        follow = partial(adapters.hosts.ignored.__getitem__, reason)
        metrics.follow(metrics.ignored_arrivals.labels(reason), follow)
    troubles = adapters.snapshots.troubles
    for kind in SNAPSHOT_TROUBLES:
        metrics.follow(metrics.snapshot_troubles.labels(kind), partial(troubles.__getitem__, kind))
    metrics.follow(metrics.commands_misrouted, lambda: parts.commands.dispatcher.misrouted)
    metrics.follow(metrics.partial_records, lambda: adapters.hosts.notices["record_partial"])
    metrics.follow(metrics.lease_lapses, lambda: parts.lease.lapses)
    metrics.follow(metrics.taken_over, lambda: parts.failover.taken)
    metrics.follow(metrics.handed_over, lambda: parts.sessions.manager.departures.handed_over)
    metrics.follow(metrics.refused_arrivals, lambda: parts.sessions.quarantine_retries.refused)
    metrics.follow(metrics.retold_arrivals, lambda: parts.sessions.quarantine_retries.recorded)
    if (traces := adapters.traces) is not None:
        metrics.follow(metrics.spans.labels("exported"), lambda: traces.exported)
        metrics.follow(metrics.spans.labels("failed"), lambda: traces.failed)
    metrics.follow(metrics.retry_receipts, lambda: parts.sessions.silence_watch.retry_receipts)
    for end in ROW_ENDS:
        ended = partial(parts.commands.bulk_feeder.ended.__getitem__, RowState(end))
        metrics.follow(metrics.bulk_rows.labels(end), ended)


def _show_sessions(metrics: Metrics, adapters: Adapters, parts: Parts) -> None:
    usage = parts.reports.resources.last
    metrics.set_sessions(parts.sessions.manager.registry.states())
    metrics.silence_seconds.set(parts.sessions.silence_watch.longest_seconds)
    metrics.hosts.set(len(adapters.hosts.host_pids))
    metrics.media_waiting.set(parts.media.waiting)
    metrics.stores_kept.set(parts.sessions.orphan_spools.kept)
    metrics.snapshots_behind_seconds.set(parts.snapshot_schedule.behind_seconds)
    metrics.fleet_free_slots.set(parts.reports.capacity.last.free)
    metrics.fleet_stranded.set(parts.failover.stranded)
    metrics.refused_waiting.set(parts.sessions.quarantine_retries.waiting)
    metrics.cpu_percent.set(usage.cpu_percent)
    metrics.worker_memory_bytes.set(usage.worker_rss_bytes)
    metrics.hosts_memory_bytes.set(usage.hosts_pss_bytes)


def _show_services(metrics: Metrics, adapters: Adapters, parts: Parts) -> None:
    stats, pool, load = adapters.broker.stats(), adapters.database.pool, parts.reports.load
    metrics.broker_blocked.set(stats.blocked)
    metrics.unsettled_bytes.set(stats.held_bytes)
    metrics.unconfirmed_seconds.set(stats.oldest_unconfirmed_seconds)
    if (keys := parts.tenants.keys) is not None:
        metrics.token_keys_unread_seconds.set(keys.unread_seconds)
    metrics.database_used.set(pool.used)
    metrics.database_limit.set(pool.limit)
    metrics.outbox_depth.set(load.last.outbox_depth)
    metrics.outbox_age_seconds.set(load.backlog.oldest_seconds)
    metrics.held_aside.set(parts.outbox.recorder.held_aside + parts.commands.inbox.held_aside)
    metrics.set_queue_depths(adapters.broker.depths)


def _show_traffic(metrics: Metrics, parts: Parts) -> None:
    bulks, reviews = parts.commands.bulk_feeder.figures(), parts.reviews.figures()
    metrics.commands_waiting.set(parts.commands.dispatcher.waiting)
    metrics.commands_held.set(parts.commands.dispatcher.held)
    metrics.unassigned_waiting.set(parts.reports.capacity.last.waiting)
    for state in OPEN_BULKS:
        metrics.bulks.labels(state).set(bulks.states.get(BulkState(state), 0))
    metrics.bulk_rows_left.set(bulks.rows_left)
    metrics.bulk_stalled_seconds.set(bulks.stalled_seconds)
    for grade in HealthGrade:
        metrics.health.labels(grade.value).set(reviews.grades.get(grade, 0))
    metrics.chats.set(reviews.chats)
    metrics.cold_chats.set(reviews.cold_chats)
