"""Every figure that the worker counts, in one frozen object with a registry of its own.

`app.py` makes one and hands its parts to whoever counts; the health sidecar renders it. Labels come
from closed sets (types and codes of the contract, names of dependencies), never from what a backend
sends, so the number of series has a bound that does not depend on sessions or traffic.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

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
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from gateway_contracts import (
    BulkState,
    Command,
    ErrorCode,
    Event,
    HealthGrade,
    Ignorable,
    SessionState,
    StatusReason,
)
from gateway_contracts.content import SENDABLE_KINDS

OTHER: Final = "other"
"""Stands in a label for everything that is not in its set."""

SUCCEEDED: Final = "succeeded"
OUTCOMES: Final = frozenset({SUCCEEDED, "repeated", *(code.value for code in ErrorCode)})
DEPENDENCIES: Final = ("rabbitmq", "postgresql", "redis", "s3", "whatsapp")
PACED_BY: Final = ("day", "recipient", "session", "quiet_hours")
IGNORED: Final = (*(category.value for category in Ignorable), "chats")
HOST_EXITS: Final = ("stopped", "crashed")
FILE_KINDS: Final = frozenset(
    kind for kind, model in SENDABLE_KINDS.items() if "media" in model.model_fields
)
FILE_STEPS: Final = ("fetch", "inspect", "upload")
CANCELLED: Final = "cancelled"
OPEN_BULKS: Final = (
    BulkState.RUNNING.value,
    BulkState.PAUSED.value,
    BulkState.CANCELLING.value,
)
ROW_ENDS: Final = ("succeeded", "failed", "uncertain")
SPANS: Final = ("exported", "failed")
SNAPSHOT_TROUBLES: Final = ("not_stored", "not_kept", "refused", "unusable")

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMMANDS: Final = (
    0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 75
)  # fmt: skip
_TRANSFERS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_DELIVERIES: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def _types(union: object) -> frozenset[str]:
    """Return the short names in a discriminated union: `message.send` of `wa.message.send.v1`."""
    models: Iterable[Any] = get_args(get_args(union)[0])
    return frozenset(_short(model.model_fields["type"].default) for model in models)


def _short(message_type: str) -> str:
    return message_type.removeprefix("wa.").rpartition(".")[0]


COMMAND_TYPES: Final = _types(Command)
EVENT_TYPES: Final = _types(Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The worker's instruments.

    Attributes:
        registry: What is exposed; nothing is in prometheus_client's global one.
        sessions: Sessions held, by state.
        capacity: Sessions that this worker may hold.
        unassigned_waiting: Commands of the whole fleet that wait for a worker with room.
        fleet_free_slots: Sessions that all live workers together can still take.
        fleet_stranded: Sessions of the whole fleet whose worker is gone and that nobody can run.
        commands: Commands brought to an end, by type and outcome (see `OUTCOMES`).
        command_seconds: From delivery to acknowledgement, by type.
        queue_wait_seconds: From delivery until a command's turn in its session's mailbox.
        commands_waiting: Commands in mailboxes.
        commands_held: Commands that wait for those in a former owner's queue.
        commands_misrouted: Commands that came another way than by the key of their session.
        dead_letters: Commands that went to the dead letters.
        pacing_seconds: For how long messages were held back, by what (see `PACED_BY`).
        pacing_refused: Messages that would have had to wait for too long, likewise.
        pacing_alone: Decisions of pacing that were made without Redis.
        queue_depth: Messages in the queues of dead letters, unrouted events and known backends.
        mended: Queues, exchanges and bindings found gone at the broker, and made again.
        unpublishable: Messages that the broker will never take.
        passed_over: Events that a full queue has missed.
        claims_ignored: Messages that said of themselves what only workers may say.
        events_ignored: Events that came in as if they were commands.
        refusals_untold: Refused commands that were not answered, because there were too many.
        oversized: Messages whose body was too large to be read.
        settle_timeouts: Acknowledgements that did not get out; the broker delivers again.
        redeliveries: Commands that the broker delivered once more.
        outgoing_files: Steps of files to send, by the content's kind, the step (see `FILE_STEPS`)
            and how it ended: `succeeded`, `cancelled` or an error code.
        outgoing_file_seconds: How long these steps took, by step.
        events: Events confirmed by the broker, by type.
        returned_publishes: Publications that no queue wanted or that a full one refused.
        publish_timeouts: Publications without a confirm in time; repeated with the same id.
        outbox_depth: Events committed and not yet confirmed.
        outbox_age_seconds: How long ago the oldest of them was committed.
        pruned_rows: Rows deleted because of their age, by table.
        relay_lag_seconds: From an event's commit to its confirm.
        commit_batch_size: Changes per transaction.
        commit_seconds: Duration of a transaction.
        inbound_messages: Messages that arrived from WhatsApp.
        ignored_arrivals: What arrived and was ignored, by why (see `IGNORED`).
        swallowed_messages: Messages that the library acknowledged without handing them over.
        refused_arrivals: Arrivals that the database has refused, and that were put aside.
        retold_arrivals: Those that were told again with success.
        refused_waiting: Those that are not told yet.
        held_aside: Sessions whose changes or commands the database does not take now.
        partial_records: What WhatsApp sent and could be told in part only, or not at all.
        media_files: Files that came with messages and were fetched.
        media_bytes: Their bytes, without those that were there already.
        media_seconds: How long it took to fetch one.
        media_failures: Attempts to fetch one that failed, by the code of the reason.
        media_waiting: Files that are to be fetched, or are being fetched.
        unsupported_arrivals: What a host told and does not fit the contract.
        calls_rejected: Calls that were to be refused, by whether the refusal has left.
        dropped_notices: Notices that were worth something for a moment only, and came too late.
        lease_lapses: Times that the lease could not be renewed, so that all hosts were stopped.
        taken_over: Sessions taken over from dead workers.
        handed_over: Sessions given to other workers in good order.
        hosts: Session hosts that run.
        host_restarts: Hosts started again after they had died.
        host_exits: Hosts that ended, by whether they were told to.
        disconnects: Connections and pairings that WhatsApp or the network has ended, by reason (as
            in `session.status`).
        silence_seconds: The longest time for which WhatsApp has sent nothing to a session that is
            connected, as of the last look; pings are answered every 30 seconds.
        retry_receipts: How often devices of others have asked for messages again.
        reachout_refusals: New chats that WhatsApp has refused (463).
        delivery_lag_seconds: From the end of a send to the first receipt of its message; of those
            that this process still remembers, a thousand of each session.
        health: Sessions by the grade of their health, as of the last looks.
        chats: People whom the sessions have sent something in the last hour.
        cold_chats: Of these, those who have never written.
        bulks: Bulks of this worker's sessions that are not over, by state.
        bulk_rows: Rows of bulks that have ended, by how (see `ROW_ENDS`).
        bulk_rows_left: Rows of bulks that have no end.
        bulk_stalled_seconds: The longest time for which a bulk that runs has come no further.
        library_stops: Times that the library gave a connection up over a value it does not know.
        snapshot_troubles: Copies of device stores that were not made, not kept by the store, older
            than the newest, or not to be opened.
        snapshots_behind_seconds: How long ago the oldest change of a device store was seen that no
            copy has.
        stores_kept: Directories of sessions that are elsewhere, or that the database does not know,
            which have the last copy of something.
        reconnects: Connections made again after a loss, by dependency.
        broker_blocked: 1 if the broker takes no publications now (memory or disk alarm).
        unconfirmed_seconds: Age of the oldest publication that has no confirm.
        token_keys_unread_seconds: For how long the keys of tenants' tokens could not be read.
        database_used: Connections of the pool that are lent now.
        database_limit: How many there may be.
        spans: Spans of traces, by what became of them (see `SPANS`).
        dependency_up: 1 if a dependency answered its last check, else 0.
        loop_lag_seconds: How late the event loop was, sampled.
        worker_memory_bytes: Resident memory of the worker process.
        hosts_memory_bytes: Proportional memory of zygote and hosts together.
        cpu_percent: Processor time of worker, zygote and hosts together; 100 is one core.
        log_lines_dropped: Log lines that a sink has not taken in time, by sink.
        log_lines_repeated: Log lines left out because the same was said over and over.
        build_info: Versions.
    """

    registry: CollectorRegistry
    sessions: Gauge
    capacity: Gauge
    unassigned_waiting: Gauge
    fleet_free_slots: Gauge
    fleet_stranded: Gauge
    commands: Counter
    command_seconds: Histogram
    queue_wait_seconds: Histogram
    commands_waiting: Gauge
    commands_held: Gauge
    commands_misrouted: Counter
    dead_letters: Counter
    pacing_seconds: Histogram
    pacing_refused: Counter
    pacing_alone: Counter
    queue_depth: Gauge
    mended: Counter
    unpublishable: Counter
    passed_over: Counter
    claims_ignored: Counter
    events_ignored: Counter
    refusals_untold: Counter
    oversized: Counter
    settle_timeouts: Counter
    redeliveries: Counter
    outgoing_files: Counter
    outgoing_file_seconds: Histogram
    events: Counter
    returned_publishes: Counter
    publish_timeouts: Counter
    outbox_depth: Gauge
    outbox_age_seconds: Gauge
    pruned_rows: Counter
    relay_lag_seconds: Histogram
    commit_batch_size: Histogram
    commit_seconds: Histogram
    inbound_messages: Counter
    ignored_arrivals: Counter
    swallowed_messages: Counter
    refused_arrivals: Counter
    retold_arrivals: Counter
    refused_waiting: Gauge
    held_aside: Gauge
    partial_records: Counter
    media_files: Counter
    media_bytes: Counter
    media_seconds: Histogram
    media_failures: Counter
    media_waiting: Gauge
    unsupported_arrivals: Counter
    calls_rejected: Counter
    dropped_notices: Counter
    lease_lapses: Counter
    taken_over: Counter
    handed_over: Counter
    hosts: Gauge
    host_restarts: Counter
    host_exits: Counter
    disconnects: Counter
    silence_seconds: Gauge
    retry_receipts: Counter
    reachout_refusals: Counter
    delivery_lag_seconds: Histogram
    health: Gauge
    chats: Gauge
    cold_chats: Gauge
    bulks: Gauge
    bulk_rows: Counter
    bulk_rows_left: Gauge
    bulk_stalled_seconds: Gauge
    library_stops: Counter
    snapshot_troubles: Counter
    snapshots_behind_seconds: Gauge
    stores_kept: Gauge
    reconnects: Counter
    broker_blocked: Gauge
    unconfirmed_seconds: Gauge
    token_keys_unread_seconds: Gauge
    database_used: Gauge
    database_limit: Gauge
    spans: Counter
    dependency_up: Gauge
    loop_lag_seconds: Histogram
    worker_memory_bytes: Gauge
    hosts_memory_bytes: Gauge
    cpu_percent: Gauge
    log_lines_dropped: Counter
    log_lines_repeated: Counter
    build_info: Info
    _refreshers: list[Callable[[], None]] = field(default_factory=list)
    _of_commands: dict[tuple[str, str], tuple[Counter, Histogram]] = field(default_factory=dict)
    _of_events: dict[str, Counter] = field(default_factory=dict)

    def observe_command(self, command_type: str, outcome: str, seconds: float) -> None:
        """Count a command that has come to its end.

        Args:
            command_type: As on the wire; what is not in the contract counts as `other`.
            outcome: `succeeded`, `repeated` or an error code.
            seconds: From delivery to acknowledgement.
        """
        found = self._of_commands.get((command_type, outcome))
        if found is None:
            short = _short(command_type)
            kind = short if short in COMMAND_TYPES else OTHER
            known = outcome if outcome in OUTCOMES else OTHER
            found = self.commands.labels(kind, known), self.command_seconds.labels(kind)
            if OTHER not in {kind, known}:
                self._of_commands[command_type, outcome] = found
        found[0].inc()
        found[1].observe(seconds)

    def observe_file(self, kind: str, step: str, outcome: str, seconds: float) -> None:
        """Count a step on the way of a file to send; see `outgoing_files`."""
        self.outgoing_files.labels(
            kind if kind in FILE_KINDS else OTHER,
            step if step in FILE_STEPS else OTHER,
            outcome if outcome in OUTCOMES or outcome == CANCELLED else OTHER,
        ).inc()
        self.outgoing_file_seconds.labels(step if step in FILE_STEPS else OTHER).observe(seconds)

    def count_event(self, event_type: str) -> None:
        """Count an event that the broker has confirmed; takes its type as on the wire."""
        found = self._of_events.get(event_type)
        if found is None:
            short = _short(event_type)
            found = self.events.labels(short if short in EVENT_TYPES else OTHER)
            if short in EVENT_TYPES:
                self._of_events[event_type] = found
        found.inc()

    def count_pruned(self, table: str, rows: int) -> None:
        """Count rows that were deleted because of their age."""
        self.pruned_rows.labels(table).inc(rows)

    def observe_commit(self, size: int, seconds: float) -> None:
        """Note a transaction with `size` changes."""
        self.commit_batch_size.observe(size)
        self.commit_seconds.observe(seconds)

    def set_sessions(self, by_state: Mapping[SessionState, int]) -> None:
        """Set the number of sessions of every state; states that are missing have none."""
        for state in SessionState:
            self.sessions.labels(state.value).set(by_state.get(state, 0))

    def count_host_exit(self, *, expected: bool) -> None:
        """Count a host that has ended, because it was told to or not."""
        self.host_exits.labels(HOST_EXITS[0 if expected else 1]).inc()

    def follow(self, counter: Counter, total: Callable[[], float]) -> None:
        """Let a counter catch up with a total kept elsewhere, at every `refresh`.

        A total that falls (its owner was made anew) counts from zero again.
        """
        last = 0.0

        def catch_up() -> None:
            nonlocal last
            now = total()
            counter.inc(now - last if now >= last else now)
            last = now

        self._refreshers.append(catch_up)

    def on_refresh(self, update: Callable[[], None]) -> None:
        """Have `update` called at every `refresh`, to set gauges. It must be quick."""
        self._refreshers.append(update)

    def refresh(self) -> None:
        """Bring in what is only read when somebody asks. Call it on the worker's event loop."""
        for update in self._refreshers:
            update()

    def render(self) -> bytes:
        """Return everything in Prometheus' text format, as of the last `refresh`. Thread-safe."""
        return generate_latest(self.registry)

    @property
    def content_type(self) -> str:
        """The HTTP content type of what `render` returns."""
        return CONTENT_TYPE_LATEST


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
