"""Spans of commands, events and receipts, as OpenTelemetry's SDK makes them."""

import time
from collections.abc import Mapping

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway_contracts import MessageSend, MessageSendData, TextToSend
from gateway_worker.commands.deferred.delivery import DeferredDelivery
from gateway_worker.commands.ports import Deferred
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.sessions.changes import OutboxRow
from gateway_worker.sessions.deferred import DeferredKey
from gateway_worker.tracing.otel import OpenTelemetry, provider_of
from gateway_worker.tracing.settings import TracingSettings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
NOT_SAMPLED = f"00-{TRACE}-{PARENT}-00"


class Recorded:
    """A tracing whose spans stay in memory."""

    def __init__(self, *, sample_ratio: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider: TracerProvider = provider_of(
            TracingSettings(sample_ratio=sample_ratio),
            worker_id="w-1",
            processor=SimpleSpanProcessor(self._exporter),
        )
        self.tracing = OpenTelemetry(provider=self.provider, prefix="wa")

    @property
    def spans(self) -> Mapping[str, ReadableSpan]:
        """What has ended, by name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}


def command(traceparent: str | None) -> MessageSend:
    """Return a command of a backend."""
    data = MessageSendData(to="+12025550101", content=TextToSend(text="hello"))
    return MessageSend(source="/backends/crm", subject="shop", traceparent=traceparent, data=data)


def delivered(sent: MessageSend) -> DeferredDelivery:
    """Return what brings it."""
    deferred = Deferred(command=sent, epoch=1, key=DeferredKey(batch="b", row=1))
    return DeferredDelivery(
        deferred=deferred,
        body=b"1234",
        worker_id="w-1",
        on_settled=lambda _delivery, _is_over: None,
    )


def row(traceparent: str | None) -> OutboxRow:
    """Return an event."""
    return OutboxRow(
        outbox_id=1,
        event_id="e-1",
        session_id="shop",
        type="wa.command.succeeded.v1",
        routing_key="command.succeeded.shop",
        body=b"123",
        correlation_id="c-1",
        traceparent=traceparent,
    )


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Return a span's trace, id and parent."""
    context = span.context
    assert context is not None
    parent = None if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", parent


def test_a_command_is_a_span_of_its_backends_trace() -> None:
    """With its steps below it, at the times at which they were; what follows continues it."""
    recorded, sent, arrived = Recorded(), command(SAMPLED), time.monotonic() - 3.0

    with recorded.tracing.command(delivered(sent), sent, arrived=arrived) as (traced, stopwatch):
        stopwatch.lap("queue")
        stopwatch.lap("inbox")
        stopwatch.waited("paced", time.monotonic() - 0.5)
        stopwatch.lap("inbox")
        stopwatch.note("library", 0.25)
        stopwatch.lap("execute")
        stopwatch.lap("commit")
        stopwatch.outcome = "succeeded"
        assert structlog.contextvars.get_contextvars()["trace_id"] == TRACE

    assert structlog.contextvars.get_contextvars() == {}
    spans = recorded.spans
    whole = spans["process wa.commands"]
    trace, span_id, parent = ids(whole)
    assert (trace, parent) == (TRACE, PARENT)
    assert traced == sent.model_copy(update={"traceparent": f"00-{TRACE}-{span_id}-01"})
    assert dict(whole.attributes or {}) == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "wa.commands:shop",
        "messaging.rabbitmq.destination.routing_key": "shop",
        "messaging.message.id": sent.id,
        "messaging.message.body.size": 4,
        "gateway.command.type": "wa.message.send.v1",
        "gateway.session.id": "shop",
        "gateway.outcome": "succeeded",
    }
    steps = {"wait for turn", "enter inbox", "pacing", "host", "commit"}
    assert set(spans) == {"process wa.commands", "whatsapp", *steps}
    assert {ids(spans[name])[2] for name in steps} == {span_id}
    assert ids(spans["whatsapp"])[2] == ids(spans["host"])[1]
    assert seconds(spans["wait for turn"]) == pytest.approx(3.0, abs=0.5)
    assert seconds(spans["pacing"]) == pytest.approx(0.5, abs=0.2)
    assert seconds(spans["whatsapp"]) == pytest.approx(0.25, abs=0.001)
    assert whole.resource.attributes["service.instance.id"] == "w-1"


def seconds(span: ReadableSpan) -> float:
    """Return how long a span is."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


@pytest.mark.parametrize(
    ("outcome", "is_error"), [("succeeded", False), ("repeated", False), ("expired", True)]
)
def test_an_outcome_is_an_error_or_none(outcome: str, *, is_error: bool) -> None:
    """Named by its code."""
    recorded, sent = Recorded(), command(SAMPLED)

    with recorded.tracing.command(delivered(sent), sent, arrived=time.monotonic()) as (_, watch):
        watch.outcome = outcome

    span = recorded.spans["process wa.commands"]
    assert span.status.is_ok is not is_error
    assert (span.attributes or {}).get("error.type") == (outcome if is_error else None)


def test_a_fault_ends_the_span() -> None:
    """And goes on."""
    recorded, sent = Recorded(), command(SAMPLED)

    def run() -> None:
        with recorded.tracing.command(delivered(sent), sent, arrived=time.monotonic()):
            raise LookupError

    with pytest.raises(LookupError):
        run()

    assert (recorded.spans["process wa.commands"].attributes or {})["error.type"] == "LookupError"


def test_what_its_backend_does_not_record_is_not_recorded() -> None:
    """The trace goes on all the same, and nothing is measured for it."""
    recorded, sent = Recorded(), command(NOT_SAMPLED)

    with recorded.tracing.command(delivered(sent), sent, arrived=time.monotonic()) as (traced, on):
        assert type(on) is Stopwatch
    recorded.tracing.published(row(traced.traceparent), since=time.monotonic())

    assert traced.traceparent is not None
    assert (traced.traceparent[3:35], traced.traceparent[-2:]) == (TRACE, "00")
    assert recorded.tracing.receipt(NOT_SAMPLED, status="read", message_id="A") is None
    assert recorded.spans == {}


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_without_a_backends_trace_one_begins(ratio: float) -> None:
    """Recorded or not, as it is set."""
    recorded, sent = Recorded(sample_ratio=ratio), command(None)

    with recorded.tracing.command(delivered(sent), sent, arrived=time.monotonic()) as (traced, _):
        pass

    assert traced.traceparent is not None
    assert int(traced.traceparent[-2:], 16) & 1 == ratio
    assert len(recorded.spans) == ratio


def test_an_event_is_published_within_the_trace_that_it_tells_of() -> None:
    """As a producer's span; one that belongs to no trace begins none."""
    recorded = Recorded()

    recorded.tracing.published(row(SAMPLED), since=time.monotonic() - 1.0)
    recorded.tracing.published(row(None), since=time.monotonic())

    (span,) = recorded.spans.values()
    assert (span.name, span.kind.name) == ("publish wa.events", "PRODUCER")
    trace, _, parent = ids(span)
    assert (trace, parent) == (TRACE, PARENT)
    assert seconds(span) >= 1.0
    attributes = span.attributes or {}
    assert attributes["messaging.destination.name"] == "wa.events:command.succeeded.shop"
    assert attributes["messaging.message.conversation_id"] == "c-1"


def test_a_receipt_is_told_once_it_is_recorded() -> None:
    """Its event continues its span."""
    recorded = Recorded()

    begun = recorded.tracing.receipt(SAMPLED, status="delivered", message_id="A")
    assert begun is not None
    assert recorded.spans == {}
    begun.end()

    (span,) = recorded.spans.values()
    trace, span_id, parent = ids(span)
    assert (span.name, trace, parent) == ("receive delivered", TRACE, PARENT)
    assert begun.traceparent == f"00-{TRACE}-{span_id}-01"
