"""A collector on loopback that takes spans by OTLP over HTTP, and shows what it was sent."""

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway_worker.devkit.services.loopback import LOOPBACK
from tests.support.authority import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSpan:
    """A span as it came, with the attributes of who has sent it.

    Attributes:
        begin: When it began, in nanoseconds since 1970.
        end: When it ended, likewise.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    begin: int
    end: int
    is_error: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class Collector:
    """What has been sent.

    Attributes:
        url: Where it listens; the base of all its paths.
        spans: What came, in its order.
        headers: Those of the last request.
    """

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[TakenSpan] = []
        self.headers: Mapping[str, str] = {}

    def trace(self, trace_id: str) -> list[TakenSpan]:
        """Return the spans of a trace in the order in which they began."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        return sorted(found, key=lambda span: (span.begin, -span.end))

    async def take(self, request: web.Request) -> web.Response:
        """Take spans."""
        self.headers = dict(request.headers)
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for group in sent.resource_spans:
            resource = _attributes(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [_taken(span, resource) for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


@asynccontextmanager
async def collector(certificates: Files | None = None) -> AsyncIterator[Collector]:
    """Listen until the block is left; with certificates by https, to those who show one."""
    found = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        secured = None if certificates is None else _context(certificates)
        site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=secured)
        await site.start()
        host, port = runner.addresses[0][:2]
        found.url = f"{'http' if secured is None else 'https'}://{host}:{port}"
        yield found
    finally:
        await runner.cleanup()


def _context(certificates: Files) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.certificate, certificates.key)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _taken(span: Span, resource: Mapping[str, Any]) -> TakenSpan:
    return TakenSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        begin=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_attributes(span.attributes),
        resource=resource,
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)
