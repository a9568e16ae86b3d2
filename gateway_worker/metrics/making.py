"""Makes the instruments, with all their series at zero.

Everything is counted in a registry of its own; nothing is in prometheus_client's global one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from gateway_contracts import HealthGrade, StatusReason
from gateway_worker.metrics.instruments import Metrics
from gateway_worker.metrics.labels import (
    COMMAND_TYPES,
    DEPENDENCIES,
    EVENT_TYPES,
    FILE_KINDS,
    FILE_STEPS,
    HOST_EXITS,
    IGNORED,
    OPEN_BULKS,
    PACED_BY,
    ROW_ENDS,
    SNAPSHOT_TROUBLES,
    SPANS,
    SUCCEEDED,
)

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMMANDS: Final = (
    0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 75
)  # fmt: skip
_TRANSFERS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_DELIVERIES: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class _Maker:
    """Makes instruments that share a prefix and a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._common: dict[str, Any] = {"namespace": "gateway", "registry": registry}

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, **self._common)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, **self._common)

    def histogram(
        self, name: str, text: str, *labels: str, buckets: Iterable[float] = _FAST
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=tuple(buckets), **self._common)

    def info(self, name: str, text: str) -> Info:
        return Info(name, text, **self._common)


def make_metrics(*, versions: Mapping[str, str]) -> Metrics:
    """Make a fresh set of instruments at zero, with the figures of this process beside them.

    Args:
        versions: What `gateway_build_info` shows, e.g. the worker's and neonize's version.
    """
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    make = _Maker(registry)
    metrics = Metrics(
        registry=registry,
        **_sessions(make),
        **_traffic(make),
        **_commands(make),
        **_events(make),
        **_rest(make),
    )
    metrics.build_info.info(dict(versions))
    _show_zeros(metrics)
    return metrics


def _sessions(make: _Maker) -> dict[str, Any]:
    return {
        "sessions": make.gauge("sessions", "Sessions held.", "state"),
        "capacity": make.gauge("capacity_sessions", "Sessions that the worker may hold."),
        "unassigned_waiting": make.gauge(
            "unassigned_waiting", "Commands that wait for a worker with room, of the whole fleet."
        ),
        "fleet_free_slots": make.gauge(
            "fleet_free_slots", "Sessions that all live workers can still take."
        ),
        "fleet_stranded": make.gauge(
            "fleet_stranded", "Sessions whose worker is gone and that nobody can run."
        ),
        "inbound_messages": make.counter("inbound_messages", "Messages from WhatsApp."),
        "ignored_arrivals": make.counter(
            "ignored_arrivals", "Arrivals that sessions are set to ignore.", "reason"
        ),
        "swallowed_messages": make.counter(
            "swallowed_messages", "Messages acknowledged by the library and not handed over."
        ),
        "refused_arrivals": make.counter(
            "refused_arrivals", "Arrivals that the database has refused, put aside."
        ),
        "retold_arrivals": make.counter(
            "retold_arrivals", "Refused arrivals that were told again with success."
        ),
        "refused_waiting": make.gauge(
            "refused_arrivals_waiting", "Refused arrivals that are not told yet."
        ),
        "held_aside": make.gauge(
            "sessions_held_aside", "Sessions that wait alone: the database does not take theirs."
        ),
        "media_files": make.counter("media_files", "Files of messages that were fetched."),
        "media_bytes": make.counter("media_bytes", "Bytes of files that were fetched."),
        "media_seconds": make.histogram(
            "media_duration_seconds", "How long it took to fetch a file.", buckets=_TRANSFERS
        ),
        "media_failures": make.counter(
            "media_failures", "Attempts to fetch a file that failed.", "code"
        ),
        "media_waiting": make.gauge("media_waiting", "Files that are to be fetched."),
        "unsupported_arrivals": make.counter(
            "unsupported_arrivals", "Arrivals told by a host that did not fit the contract."
        ),
        "calls_rejected": make.counter(
            "calls_rejected", "Calls refused as sessions are set, or not.", "outcome"
        ),
        "dropped_notices": make.counter(
            "dropped_notices", "Notices of a moment (presence, typing) that came too late."
        ),
        "partial_records": make.counter(
            "partial_records", "Arrivals that did not fit: told in part, and kept aside."
        ),
        "lease_lapses": make.counter("lease_lapses", "Leases that could not be renewed in time."),
        "taken_over": make.counter("sessions_taken_over", "Sessions taken from dead workers."),
        "handed_over": make.counter("sessions_handed_over", "Sessions given to other workers."),
        "hosts": make.gauge("hosts", "Session hosts that run."),
        "host_restarts": make.counter("host_restarts", "Hosts started again after they died."),
        "host_exits": make.counter("host_exits", "Hosts that ended.", "how"),
        "disconnects": make.counter(
            "disconnects", "Connections and pairings that WhatsApp or the network ended.", "reason"
        ),
        "silence_seconds": make.gauge(
            "silence_seconds", "Longest time without a byte from WhatsApp of a connected session."
        ),
        "library_stops": make.counter(
            "library_stops", "Connections that the library gave up over an unknown value."
        ),
        "stores_kept": make.gauge(
            "stores_kept", "Directories of sessions elsewhere that hold the last copy of something."
        ),
        "snapshots_behind_seconds": make.gauge(
            "snapshots_behind_seconds", "Age of the oldest change of a device store without a copy."
        ),
        "snapshot_troubles": make.counter(
            "snapshot_troubles", "Copies of device stores that cannot be relied on.", "kind"
        ),
    }


def _traffic(make: _Maker) -> dict[str, Any]:
    return {
        "retry_receipts": make.counter(
            "retry_receipts", "Requests of others' devices to send a message again."
        ),
        "reachout_refusals": make.counter(
            "reachout_refusals", "New chats that WhatsApp has refused (463)."
        ),
        "delivery_lag_seconds": make.histogram(
            "delivery_lag_seconds",
            "From the end of a send to the first receipt of its message.",
            buckets=_DELIVERIES,
        ),
        "health": make.gauge("session_health", "Sessions by the grade of their health.", "grade"),
        "chats": make.gauge(
            "chats_last_hour", "People whom sessions have sent something in the last hour."
        ),
        "cold_chats": make.gauge("cold_chats_last_hour", "Of these, who have never written."),
        "bulks": make.gauge("bulks", "Bulks that are not over.", "state"),
        "bulk_rows": make.counter("bulk_rows", "Rows of bulks that have ended.", "outcome"),
        "bulk_rows_left": make.gauge("bulk_rows_left", "Rows of bulks that have no end."),
        "bulk_stalled_seconds": make.gauge(
            "bulk_stalled_seconds", "Longest time for which a bulk that runs came no further."
        ),
    }


def _commands(make: _Maker) -> dict[str, Any]:
    return {
        "commands": make.counter("commands", "Commands brought to an end.", "type", "outcome"),
        "command_seconds": make.histogram(
            "command_duration_seconds", "From delivery to settlement.", "type", buckets=_COMMANDS
        ),
        "queue_wait_seconds": make.histogram(
            "command_wait_seconds", "From delivery to the command's turn in its mailbox."
        ),
        "commands_waiting": make.gauge("commands_waiting", "Commands in mailboxes."),
        "commands_held": make.gauge(
            "commands_held", "Commands that wait for those in a former owner's queue."
        ),
        "unsettled_bytes": make.gauge(
            "unsettled_bytes", "Bodies over 4 KiB of commands that are not settled."
        ),
        "commands_misrouted": make.counter(
            "commands_misrouted", "Commands not published with their session id as routing key."
        ),
        "pacing_seconds": make.histogram(
            "pacing_wait_seconds", "How long messages were held back.", "by", buckets=_TRANSFERS
        ),
        "pacing_refused": make.counter(
            "pacing_refused", "Messages that would have had to wait for too long.", "by"
        ),
        "pacing_alone": make.counter(
            "pacing_alone", "Decisions of pacing that were made without Redis."
        ),
        "dead_letters": make.counter("dead_letters", "Commands sent to the dead letters."),
        "queue_depth": make.gauge(
            "queue_depth", "Messages in queues that others are to empty.", "queue"
        ),
        "subscriptions_unanswered": make.counter(
            "subscriptions_unanswered", "Subscriptions that the broker did not answer in time."
        ),
        "subscriptions_renewed": make.counter(
            "subscriptions_renewed", "Consumers that were found gone at the broker, started again."
        ),
        "mended": make.counter(
            "broker_objects_mended", "Queues, exchanges and bindings found gone, and made again."
        ),
        "unpublishable": make.counter(
            "unpublishable_messages", "Messages that the broker will never take."
        ),
        "passed_over": make.counter(
            "events_passed_over", "Events that a full queue has missed; the others have them."
        ),
        "claims_ignored": make.counter(
            "claims_ignored", "Messages that said of themselves what only workers may say."
        ),
        "events_ignored": make.counter(
            "events_ignored", "Events that came in as if they were commands."
        ),
        "refusals_untold": make.counter(
            "refusals_untold", "Refused commands that were not answered: there were too many."
        ),
        "oversized": make.counter("oversized_messages", "Messages too large to be read."),
        "settle_timeouts": make.counter(
            "settle_timeouts", "Acknowledgements that did not get out."
        ),
        "redeliveries": make.counter("redeliveries", "Commands delivered once more."),
        "outgoing_files": make.counter(
            "outgoing_files", "Steps of files to send.", "kind", "step", "outcome"
        ),
        "outgoing_file_seconds": make.histogram(
            "outgoing_file_duration_seconds", "Steps of files to send.", "step", buckets=_TRANSFERS
        ),
    }


def _events(make: _Maker) -> dict[str, Any]:
    return {
        "events": make.counter("events", "Events confirmed by the broker.", "type"),
        "returned_publishes": make.counter(
            "returned_publishes", "Publications that no queue wanted or a full one refused."
        ),
        "publish_timeouts": make.counter(
            "publish_timeouts", "Publications without a confirm in time."
        ),
        "pruned_rows": make.counter("pruned_rows", "Rows deleted because of their age.", "table"),
        "outbox_depth": make.gauge("outbox_depth", "Events committed and not yet confirmed."),
        "outbox_age_seconds": make.gauge(
            "outbox_age_seconds", "Age of the oldest event committed and not yet confirmed."
        ),
        "relay_lag_seconds": make.histogram(
            "relay_lag_seconds", "From an event's commit to the broker's confirm."
        ),
        "commit_batch_size": make.histogram(
            "commit_batch_size", "Changes per transaction.", buckets=_SIZES
        ),
        "commit_seconds": make.histogram("commit_duration_seconds", "Duration of a transaction."),
    }


def _rest(make: _Maker) -> dict[str, Any]:
    return {
        "reconnects": make.counter(
            "reconnects", "Connections made again after a loss.", "dependency"
        ),
        "broker_blocked": make.gauge(
            "broker_blocked", "Whether the broker takes no publications (memory or disk alarm)."
        ),
        "unconfirmed_seconds": make.gauge(
            "broker_unconfirmed_seconds", "Age of the oldest publication without a confirm."
        ),
        "token_keys_unread_seconds": make.gauge(
            "token_keys_unread_seconds", "Time for which the keys of tokens could not be read."
        ),
        "database_used": make.gauge(
            "database_connections_used", "Connections of the pool that are lent."
        ),
        "database_limit": make.gauge(
            "database_connections_limit", "Connections that the pool may have."
        ),
        "spans": make.counter("spans", "Spans of traces, by what became of them.", "outcome"),
        "dependency_up": make.gauge(
            "dependency_up", "Whether a dependency answered its last check.", "dependency"
        ),
        "loop_lag_seconds": make.histogram(
            "event_loop_lag_seconds", "How late the event loop was, sampled."
        ),
        "worker_memory_bytes": make.gauge(
            "worker_memory_bytes", "Resident memory of the worker process."
        ),
        "hosts_memory_bytes": make.gauge(
            "hosts_memory_bytes", "Proportional memory (PSS) of zygote and hosts together."
        ),
        "cpu_percent": make.gauge(
            "cpu_percent", "Processor use of worker, zygote and hosts together; 100 is one core."
        ),
        "log_lines_dropped": make.counter(
            "log_lines_dropped", "Log lines that a sink has not taken.", "sink"
        ),
        "log_lines_repeated": make.counter(
            "log_lines_repeated", "Log lines left out, the same having been said over and over."
        ),
        "build_info": make.info("build", "Versions."),
    }


def _show_zeros(metrics: Metrics) -> None:
    """Let every series of a small set exist from the start: a rate needs a first value."""
    metrics.set_sessions({})
    for kind in sorted(COMMAND_TYPES):
        metrics.commands.labels(kind, SUCCEEDED)
        metrics.command_seconds.labels(kind)
    for kind in sorted(EVENT_TYPES):
        metrics.events.labels(kind)
    for step in FILE_STEPS:
        metrics.outgoing_file_seconds.labels(step)
        for kind in sorted(FILE_KINDS):
            metrics.outgoing_files.labels(kind, step, SUCCEEDED)
    for part in PACED_BY:
        metrics.pacing_seconds.labels(part)
        metrics.pacing_refused.labels(part)
    for instrument, values in _closed(metrics):
        for value in values:
            instrument.labels(value)


def _closed(metrics: Metrics) -> Iterable[tuple[Counter | Gauge, Iterable[str]]]:
    """Return instruments with one label, and all values that it has."""
    return (
        (metrics.disconnects, [reason.value for reason in StatusReason]),
        (metrics.health, [grade.value for grade in HealthGrade]),
        (metrics.bulks, OPEN_BULKS),
        (metrics.bulk_rows, ROW_ENDS),
        (metrics.ignored_arrivals, IGNORED),
        (metrics.host_exits, HOST_EXITS),
        (metrics.snapshot_troubles, SNAPSHOT_TROUBLES),
        (metrics.reconnects, DEPENDENCIES),
        (metrics.spans, SPANS),
    )
