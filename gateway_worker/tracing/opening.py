"""Opens the way to a collector, if one is named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from gateway_worker.commands.ports import CommandTracing
from gateway_worker.errors import ConfigurationError
from gateway_worker.outbox.ports import EventTracing
from gateway_worker.sessions.observers import ReceiptTracing
from gateway_worker.tracing.settings import TracingSettings


class Traces(CommandTracing, EventTracing, ReceiptTracing, Protocol):
    """All that traces, and what has become of it."""

    @property
    def exported(self) -> int:
        """How many spans the collector has taken."""
        ...

    @property
    def failed(self) -> int:
        """How many it has not, whose requests are not repeated any more."""
        ...


@asynccontextmanager
async def open_traces(
    settings: TracingSettings, *, worker_id: str, prefix: str
) -> AsyncIterator[Traces | None]:
    """Trace until the block is left, which sends what is left; None if nothing is to be traced.

    Args:
        settings: Where traces go.
        worker_id: This worker.
        prefix: What the names of the broker's exchanges begin with.

    Raises:
        ConfigurationError: The extra `otel` is not installed.
    """
    if settings.endpoint is None:
        yield None
        return
    try:
        from gateway_worker.tracing import otel  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: traces need an extra: pip install 'gateway-worker[otel]'"
        ) from error
    async with otel.exporting(settings, worker_id=worker_id, prefix=prefix) as traces:
        yield traces
