"""Counts what happens, where it happens: for the metrics, and as rates for the heartbeats."""

from collections.abc import Callable

from gateway_contracts import StatusReason
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.health.heartbeat import Rate
from gateway_worker.metrics import Metrics


class Counts:
    """What the parts of a worker tell of what they do.

    Args:
        metrics: The worker's instruments.
    """

    def __init__(self, *, metrics: Metrics) -> None:
        self.metrics = metrics
        self.commands = Rate()
        self.events = Rate()
        self._on_message: Callable[[], None] = lambda: None

    def when_message_arrives(self, on_message: Callable[[], None]) -> None:
        """Call `on_message` with each message from WhatsApp. Cheap."""
        self._on_message = on_message

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

    # What pacing tells (its `PacingObserver`).

    def message_held(self, part: str, seconds: float) -> None:
        """Count a message that is held back for so long."""
        self.metrics.pacing_seconds.labels(part).observe(seconds)

    def message_refused(self, part: str) -> None:
        """Count a message that would have had to wait for too long."""
        self.metrics.pacing_refused.labels(part).inc()

    def paced_alone(self) -> None:
        """Count a decision that was made without the buckets that all workers share."""
        self.metrics.pacing_alone.inc()

    # What sessions tell (their `SessionObserver`).

    def host_restarted(self) -> None:
        """Count a host that is started again."""
        self.metrics.host_restarts.inc()

    def host_exited(self, *, expected: bool) -> None:
        """Count a host that has ended."""
        self.metrics.count_host_exit(expected=expected)

    def disconnected(self, reason: StatusReason) -> None:
        """Count the end of a connection or of a pairing."""
        self.metrics.disconnects.labels(reason.value).inc()

    def library_stopped(self) -> None:
        """Count a library that has given its connection up."""
        self.metrics.library_stops.inc()

    def link_restored(self) -> None:
        """Count a connection to WhatsApp that came back."""
        self.metrics.reconnects.labels("whatsapp").inc()

    def message_arrived(self) -> None:
        """Count a message from WhatsApp."""
        self.metrics.inbound_messages.inc()
        self._on_message()

    def message_confirmed(self, seconds: float) -> None:
        """Count the first receipt of a message, so long after WhatsApp took it."""
        self.metrics.delivery_lag_seconds.observe(seconds)

    def reachout_refused(self) -> None:
        """Count a new chat that WhatsApp has refused."""
        self.metrics.reachout_refusals.inc()

    def media_fetched(self, *, size_bytes: int, seconds: float) -> None:
        """Count a file that has come, in so many seconds."""
        self.metrics.media_files.inc()
        self.metrics.media_bytes.inc(size_bytes)
        self.metrics.media_seconds.observe(seconds)

    def media_failed(self, code: str) -> None:
        """Count an attempt to fetch a file that has failed."""
        self.metrics.media_failures.labels(code).inc()

    def arrival_unsupported(self) -> None:
        """Count an arrival that does not fit the contract."""
        self.metrics.unsupported_arrivals.inc()

    def call_rejected(self, *, has_left: bool) -> None:
        """Count a call that was to be refused."""
        self.metrics.calls_rejected.labels("rejected" if has_left else "failed").inc()

    def notice_dropped(self) -> None:
        """Count a notice of a moment that came too late to be told."""
        self.metrics.dropped_notices.inc()
