"""Which messages of a session were sent within a trace, so that their receipts are told in it.

Only what this process has sent lately is known, and of each message only the first receipt of each
status: one to a large group would have thousands.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from gateway_contracts import ReceiptStatus
from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.observers import ReceiptSpan, ReceiptTracing

Record = Callable[[Change], "asyncio.Future[Committed]"]
Key = tuple[str, str]
"""A message: its chat and its id."""


@dataclass(eq=False, slots=True, kw_only=True)
class _Sent:
    """A message: what it continues, and how far it is known to have got."""

    traceparent: str
    statuses: set[ReceiptStatus] = field(default_factory=set)


class ReceiptTraces:
    """The traces of one session's messages.

    Args:
        tracing: Makes the spans.
        remembered: How many messages are remembered.
    """

    def __init__(self, *, tracing: ReceiptTracing, remembered: int) -> None:
        self._tracing = tracing
        self._remembered = remembered
        self._sent: OrderedDict[Key, _Sent] = OrderedDict()

    def sent(self, key: Key, traceparent: str) -> None:
        """Note a message that was just sent."""
        self._sent[key] = _Sent(traceparent=traceparent)
        if len(self._sent) > self._remembered:
            self._sent.popitem(last=False)

    def recording(self, record: Record) -> Record:
        """Return what records receipts like `record`, each within the trace of its message."""
        return partial(self._record, record)

    def _record(self, record: Record, change: Change) -> "asyncio.Future[Committed]":
        receipt = change.receipt
        assert receipt is not None
        sent = self._sent.get((receipt.chat, receipt.message_id))
        if sent is None or receipt.status in sent.statuses:
            return record(change)
        span = self._tracing.receipt(
            sent.traceparent, status=receipt.status.value, message_id=receipt.message_id
        )
        if span is None:
            return record(change)
        sent.statuses.add(receipt.status)
        update = {"traceparent": span.traceparent}
        events = tuple(event.model_copy(update=update) for event in change.events)
        recorded = record(replace(change, events=events))
        recorded.add_done_callback(partial(_recorded, sent, receipt.status, span))
        return recorded


def _recorded(
    sent: _Sent, status: ReceiptStatus, span: ReceiptSpan, done: "asyncio.Future[Committed]"
) -> None:
    """End the span; one that is recorded later, or not here, has another or none."""
    if done.cancelled() or done.exception() is not None or done.result().early:
        sent.statuses.discard(status)
    else:
        span.end()
