"""Spans on their way to a collector: one that takes them, and one that is away."""

import time

from pydantic import SecretStr

from gateway_contracts import SessionGetStatus
from gateway_worker.commands.deferred.delivery import DeferredDelivery
from gateway_worker.commands.ports import Deferred
from gateway_worker.sessions.deferred import DeferredKey
from gateway_worker.tracing import Traces, TracingSettings, open_traces
from tests.support.otlp import collector

NOWHERE = "http://127.0.0.1:9"


def trace_one(traces: Traces) -> None:
    """Trace a command."""
    command = SessionGetStatus(source="/backends/crm", subject="shop")
    delivery = DeferredDelivery(
        deferred=Deferred(command=command, epoch=1, key=DeferredKey(batch="b", row=1)),
        worker_id="w-1",
        on_settled=lambda _delivery, _is_over: None,
    )
    with traces.command(delivery, command, arrived=time.monotonic()) as (_, stopwatch):
        stopwatch.lap("queue")
        stopwatch.outcome = "succeeded"


async def test_what_waits_is_sent_before_the_end() -> None:
    """With the headers that are set; and it is counted."""
    async with collector() as found:
        settings = TracingSettings(
            endpoint=f"{found.url}/", headers=SecretStr("x-team=messaging"), service_name="gateway"
        )
        async with open_traces(settings, worker_id="w-1", prefix="wa") as traces:
            assert traces is not None
            trace_one(traces)

    assert {span.name for span in found.spans} == {"process wa.commands", "wait for turn"}
    assert {span.resource["service.name"] for span in found.spans} == {"gateway"}
    assert found.headers["x-team"] == "messaging"
    assert (traces.exported, traces.failed) == (2, 0)


async def test_a_collector_that_is_away_costs_its_spans() -> None:
    """They are counted, and the end waits for it for some seconds at most."""
    settings = TracingSettings(endpoint=NOWHERE)

    async with open_traces(settings, worker_id="w-1", prefix="wa") as traces:
        assert traces is not None
        trace_one(traces)

    assert (traces.exported, traces.failed) == (0, 2)
