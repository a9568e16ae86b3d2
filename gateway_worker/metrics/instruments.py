"""The instruments, and how they are used where more than one of them counts the same thing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from gateway_contracts import SessionState
from gateway_worker.metrics.labels import (
    CANCELLED,
    COMMAND_TYPES,
    EVENT_TYPES,
    FILE_KINDS,
    FILE_STEPS,
    HOST_EXITS,
    OTHER,
    OUTCOMES,
    short_type,
)


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
        unsettled_bytes: What the bodies over 4 KiB take of commands that are not settled.
        commands_misrouted: Commands that came another way than by the key of their session.
        dead_letters: Commands that went to the dead letters.
        pacing_seconds: For how long messages were held back, by what (see `PACED_BY`).
        pacing_refused: Messages that would have had to wait for too long, likewise.
        pacing_alone: Decisions of pacing that were made without Redis.
        queue_depth: Messages in the queues of dead letters, unrouted events and known backends.
        subscriptions_unanswered: Subscriptions that the broker did not answer in time.
        subscriptions_renewed: Consumers that the broker had no longer, and that were started again.
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
    unsettled_bytes: Gauge
    commands_misrouted: Counter
    dead_letters: Counter
    pacing_seconds: Histogram
    pacing_refused: Counter
    pacing_alone: Counter
    queue_depth: Gauge
    subscriptions_unanswered: Counter
    subscriptions_renewed: Counter
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
    _queues: set[str] = field(default_factory=set)
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
            short = short_type(command_type)
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
            short = short_type(event_type)
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

    def set_queue_depths(self, depths: Mapping[str, int]) -> None:
        """Set how many messages each queue has; one that is not there any more has no figure."""
        for name in self._queues - depths.keys():
            self.queue_depth.remove(name)
        self._queues.clear()
        self._queues.update(depths)
        for name, depth in depths.items():
            self.queue_depth.labels(name).set(depth)

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
