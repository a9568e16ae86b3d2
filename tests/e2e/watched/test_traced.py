"""A message from its backend to its reader as one trace, read back from a collector."""

from collections.abc import Callable, Mapping

import pytest

from gateway_contracts import (
    CommandSucceeded,
    MessageReceipt,
    MessageSend,
    Pacing,
    PacingProfile,
    ReceiptStatus,
    RecipientPacing,
    SentInfo,
)
from tests.e2e.harness import WORKER, Gateway
from tests.e2e.watched.conftest import Watched
from tests.support.eventually import eventually
from tests.support.otlp import Collector, TakenSpan

NAME = "traced"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BACKEND = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{BACKEND}-01"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"
HOLD_SECONDS = 2


@pytest.mark.timeout(180)
async def test_a_message_is_one_trace(watched: Watched) -> None:
    """From the command over pacing, host and WhatsApp's answer to the receipts and their events."""
    gateway, spans = watched.gateway, watched.spans
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    recipient = RecipientPacing(burst=1, seconds=HOLD_SECONDS)
    await gateway.link(
        NAME, shop, pacing=Pacing(profile=PacingProfile.TRUSTED, recipient=recipient)
    )
    await gateway.send(NAME, ada.number, "in another trace")
    command = gateway.text(NAME, ada.number, "hello")
    command = command.model_copy(update={"traceparent": TRACEPARENT})

    succeeded = await gateway.backend.request(command)
    assert isinstance(succeeded, CommandSucceeded)
    assert isinstance(succeeded.data.result, SentInfo)
    message_id = succeeded.data.result.message_id
    delivered = await _receipt(gateway, message_id, ReceiptStatus.DELIVERED)
    await ada.read(message_id)
    read = await _receipt(gateway, message_id, ReceiptStatus.READ)
    publish = f"publish {_prefix(gateway)}.events"
    by_name = await _until(spans, TRACE, lambda found: found.count(publish) >= 3)

    command_span = by_name[f"process {_prefix(gateway)}.commands"]
    assert command_span.parent_id == BACKEND
    assert command_span.kind == "consumer"
    assert command_span.attributes["messaging.message.id"] == command.id
    assert command_span.attributes["gateway.outcome"] == "succeeded"
    assert command_span.resource["service.name"] == "gateway"
    assert command_span.resource["service.instance.id"] == WORKER
    for name in ("wait for turn", "enter inbox", "pacing", "host", "commit"):
        assert by_name[name].parent_id == command_span.span_id, name
    assert by_name["whatsapp"].parent_id == by_name["host"].span_id
    pacing = by_name["pacing"]
    assert pacing.begin < pacing.end <= by_name["host"].begin
    assert spans.headers["x-token"]
    receipts = {event.data.status.value: event for event in (delivered, read)}
    for status, event in receipts.items():
        span = by_name[f"receive {status}"]
        assert span.parent_id == command_span.span_id
        assert span.attributes["messaging.message.id"] == message_id
        assert event.traceparent == f"00-{TRACE}-{span.span_id}-01"
    assert succeeded.traceparent == f"00-{TRACE}-{command_span.span_id}-01"
    published = [span for span in spans.trace(TRACE) if span.name == publish]
    told = {span.attributes["messaging.message.id"]: span.parent_id for span in published}
    expected = {succeeded.id: command_span.span_id} | {
        event.id: by_name[f"receive {status}"].span_id for status, event in receipts.items()
    }
    assert told == expected
    _is_in_the_log(gateway, command)
    await _continues_a_header(gateway, spans, ada.number)


def _is_in_the_log(gateway: Gateway, command: MessageSend) -> None:
    lines = [
        line for line in gateway.worker.log_path.read_text().splitlines() if command.id in line
    ]
    assert any(f'"trace_id":"{TRACE}"' in line for line in lines)


async def _continues_a_header(gateway: Gateway, spans: Collector, to: str) -> None:
    """The trace may be in the header alone, as instrumented clients do it; this command fails."""
    command = gateway.text("nobody", to, "hello")
    header = f"00-{OTHER_TRACE}-{BACKEND}-01"
    await gateway.backend.publish(command, headers={"traceparent": header})
    outcome = await gateway.backend.outcome(command.id, seconds=60)

    await _until(spans, OTHER_TRACE, lambda found: f"publish {_prefix(gateway)}.events" in found)
    span = next(one for one in spans.trace(OTHER_TRACE) if one.attributes.get("error.type"))

    assert span.parent_id == BACKEND
    assert span.is_error
    assert span.attributes["error.type"] == "session_not_found"
    assert outcome.traceparent == f"00-{OTHER_TRACE}-{span.span_id}-01"


def _prefix(gateway: Gateway) -> str:
    return gateway.environment["AMQP_PREFIX"]


async def _receipt(gateway: Gateway, message_id: str, status: ReceiptStatus) -> MessageReceipt:
    return await gateway.backend.expect(
        MessageReceipt,
        NAME,
        lambda event: event.data.message_id == message_id and event.data.status is status,
        seconds=60,
    )


async def _until(
    spans: Collector, trace_id: str, is_whole: Callable[[list[str]], bool]
) -> Mapping[str, TakenSpan]:
    """Wait until a trace is whole, by the names of its spans; returns these by them."""

    def whole() -> bool:
        found = [span.name for span in spans.trace(trace_id)]
        assert is_whole(found), found
        return True

    await eventually(whole, timeout_seconds=60, reason="the trace is whole")
    return {span.name: span for span in spans.trace(trace_id)}
