"""Spans by OpenTelemetry's SDK, sent to a collector by a thread of its own.

The names follow the conventions for messaging systems. A command is one span, `process`, which
continues the trace of its backend; below it are the steps of its way, and the events that tell of
it. Receipts come later, below the same span. No span has a number, a text or the WhatsApp id of a
person; a receipt's has that of its message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace import get_current_span as span_in
from opentelemetry.trace import set_span_in_context as context_with
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from gateway_contracts import Command
from gateway_worker.commands.ports import Delivery
from gateway_worker.commands.scheduler import WithdrawnError
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.sessions.changes import OutboxRow
from gateway_worker.tracing.settings import TracingSettings
from gateway_worker.version import VERSION

TRACES_PATH: Final = "/v1/traces"
_EXPORT_SECONDS: Final = 5.0
"""How long one request to the collector may take, repetitions included."""
_DELAY_MILLISECONDS: Final = 2_000.0
"""How long spans wait for more of them."""
_LEFT: Final = "left"
"""The outcome of a command that has none here: it goes on elsewhere, or later."""
_FINE: Final = frozenset({"succeeded", "repeated", _LEFT})
_STEPS: Final[Mapping[str, tuple[str, SpanKind]]] = {
    "queue": ("wait for turn", SpanKind.INTERNAL),
    "inbox": ("enter inbox", SpanKind.INTERNAL),
    "connecting": ("wait for connection", SpanKind.INTERNAL),
    "preparing": ("prepare", SpanKind.INTERNAL),
    "paced": ("pacing", SpanKind.INTERNAL),
    "retry": ("wait for retry", SpanKind.INTERNAL),
    "execute": ("host", SpanKind.INTERNAL),
    "library": ("whatsapp", SpanKind.CLIENT),
    "commit": ("commit", SpanKind.INTERNAL),
}
"""What the steps of a stopwatch are called."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class CountedExporter(SpanExporter):
    """Sends spans on, and counts what becomes of them.

    Args:
        exporter: Sends them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.exported += len(spans)
        else:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()


class OpenTelemetry:
    """Makes the spans of a worker (its `Traces`).

    Args:
        provider: Takes them.
        prefix: What the names of the broker's exchanges begin with.
        exporter: Where they go in the end.
    """

    def __init__(
        self, *, provider: TracerProvider, prefix: str, exporter: CountedExporter | None = None
    ) -> None:
        self._tracer = provider.get_tracer("gateway_worker", VERSION)
        self._commands = f"{prefix}.commands"
        self._events = f"{prefix}.events"
        self._exporter = exporter

    @property
    def exported(self) -> int:
        """How many spans the collector has taken."""
        return 0 if self._exporter is None else self._exporter.exported

    @property
    def failed(self) -> int:
        """How many it has not."""
        return 0 if self._exporter is None else self._exporter.failed

    @contextmanager
    def command(
        self, delivery: Delivery, command: Command, *, arrived: float
    ) -> Iterator[tuple[Command, Stopwatch]]:
        """Trace a command for as long as the block lasts; see `CommandTracing`."""
        wall = _Wall()
        span = self._tracer.start_span(
            f"process {self._commands}",
            _context_of(command.traceparent or delivery.traceparent),
            SpanKind.CONSUMER,
            {
                **_messaging("process", "process", self._commands, command.subject),
                "messaging.message.id": command.id,
                "messaging.message.body.size": delivery.size_bytes,
                "gateway.command.type": command.type,
                "gateway.session.id": command.subject,
            },
            start_time=wall.at(arrived),
        )
        context = span.get_span_context()
        stopwatch = _stopwatch(self._tracer, span, arrived=arrived, wall=wall)
        traced = command.model_copy(update={"traceparent": _written(context)})
        names = {
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
        }
        try:
            with structlog.contextvars.bound_contextvars(**names):
                yield traced, stopwatch
        except (WithdrawnError, asyncio.CancelledError):
            raise
        except Exception as error:
            stopwatch.outcome = type(error).__name__
            raise
        finally:
            _conclude(span, stopwatch.outcome or _LEFT)

    def published(self, row: OutboxRow, *, since: float) -> None:
        """Trace that the broker has an event; see `EventTracing`."""
        context = _context_of(row.traceparent)
        if not span_in(context).get_span_context().trace_flags.sampled:
            return
        wall = _Wall()
        attributes: dict[str, AttributeValue] = {
            **_messaging("publish", "send", self._events, row.routing_key),
            "messaging.message.id": row.event_id,
            "messaging.message.body.size": len(row.body),
            "gateway.event.type": row.type,
            "gateway.session.id": row.session_id,
        }
        if row.correlation_id is not None:
            attributes["messaging.message.conversation_id"] = row.correlation_id
        span = self._tracer.start_span(
            f"publish {self._events}",
            context,
            SpanKind.PRODUCER,
            attributes,
            start_time=wall.at(since),
        )
        span.end(wall.now())

    def receipt(self, traceparent: str, *, status: str, message_id: str) -> "ReceiptSpan | None":
        """Begin the span of a receipt; see `ReceiptTracing`."""
        context = _context_of(traceparent)
        if not span_in(context).get_span_context().trace_flags.sampled:
            return None
        attributes: dict[str, AttributeValue] = {
            "messaging.system": "whatsapp",
            "messaging.operation.name": "receive",
            "messaging.operation.type": "receive",
            "messaging.message.id": message_id,
            "gateway.receipt.status": status,
        }
        return ReceiptSpan(
            self._tracer.start_span(f"receive {status}", context, SpanKind.CONSUMER, attributes)
        )


class ReceiptSpan:
    """A receipt that is being recorded.

    Args:
        span: It.

    Attributes:
        traceparent: What its event continues.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self.traceparent = _written(span.get_span_context())

    def end(self) -> None:
        """Note that it is recorded; without that there is no such span."""
        self._span.end()


class SpanStopwatch(Stopwatch):
    """A stopwatch whose steps are spans.

    Args:
        arrived: As of any stopwatch.
        tracer: Makes them.
        span: The command's.
        wall: Tells the time of day.
    """

    def __init__(self, *, arrived: float, tracer: Tracer, span: Span, wall: "_Wall") -> None:
        super().__init__(arrived=arrived)
        self._tracer = tracer
        self._context = context_with(span, Context())
        self._wall = wall
        self._answered: tuple[float, float] | None = None

    def lap(self, step: str) -> None:
        """End a step."""
        began = self._last
        super().lap(step)
        span = self._step(step, self._context, began, self._last)
        if step == "execute" and self._answered is not None:
            until, seconds = self._answered
            self._answered = None
            self._step("library", context_with(span, Context()), until - seconds, until)

    def waited(self, step: str, since: float, *, after: str | None = None) -> None:
        """End a wait."""
        began = self._last
        super().waited(step, since, after=after)
        if after is not None:
            self._step(after, self._context, began, since)
        self._step(step, self._context, since, self._last)

    def note(self, step: str, seconds: float) -> None:
        """Note a time that was taken elsewhere, and has just ended."""
        super().note(step, seconds)
        if step == "library" and seconds > 0:
            self._answered = (time.monotonic(), seconds)

    def _step(self, step: str, context: Context, began: float, ended: float) -> Span:
        name, kind = _STEPS.get(step, (step, SpanKind.INTERNAL))
        span = self._tracer.start_span(name, context, kind, start_time=self._wall.at(began))
        span.end(self._wall.at(ended))
        return span


class _Wall:
    """The time of day at moments of the monotonic clock, in nanoseconds."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def at(self, seconds: float) -> int:
        return self._offset + int(seconds * 1e9)

    def now(self) -> int:
        return self._offset + time.monotonic_ns()


@asynccontextmanager
async def exporting(
    settings: TracingSettings, *, worker_id: str, prefix: str
) -> AsyncIterator[OpenTelemetry]:
    """Send spans to a collector until the block is left; what waits is sent then."""
    exporter = CountedExporter(
        OTLPSpanExporter(
            endpoint=f"{settings.endpoint}{TRACES_PATH}",
            headers=settings.header_pairs(),
            timeout=_EXPORT_SECONDS,
        )
    )
    provider = provider_of(
        settings,
        worker_id=worker_id,
        processor=BatchSpanProcessor(exporter, schedule_delay_millis=_DELAY_MILLISECONDS),
    )
    try:
        yield OpenTelemetry(provider=provider, prefix=prefix, exporter=exporter)
    finally:
        with suppress(RuntimeError):  # the loop's threads have gone: the worker is being ended
            await asyncio.to_thread(provider.shutdown)


def provider_of(
    settings: TracingSettings, *, worker_id: str, processor: SpanProcessor
) -> TracerProvider:
    """Return what takes the spans of a worker."""
    resource = Resource.create(
        {
            "service.name": settings.service_name,
            "service.version": VERSION,
            "service.instance.id": worker_id,
        }
    )
    sampler = ParentBased(TraceIdRatioBased(settings.sample_ratio))
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _stopwatch(tracer: Tracer, span: Span, *, arrived: float, wall: _Wall) -> Stopwatch:
    if not span.is_recording():
        return Stopwatch(arrived=arrived)
    return SpanStopwatch(arrived=arrived, tracer=tracer, span=span, wall=wall)


def _conclude(span: Span, outcome: str) -> None:
    span.set_attribute("gateway.outcome", outcome)
    if outcome not in _FINE:
        span.set_attribute("error.type", outcome)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _messaging(name: str, kind: str, exchange: str, routing_key: str) -> dict[str, AttributeValue]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": f"{exchange}:{routing_key}",
        "messaging.rabbitmq.destination.routing_key": routing_key,
    }


def _context_of(traceparent: str | None) -> Context:
    """Return a context that continues a trace, or begins one if there is none."""
    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return _PROPAGATOR.extract(carrier, Context())


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
