"""Receipts of messages that were sent within a trace are told within it."""

from gateway_contracts import MessageReceipt, MessageReceiptData, Participant, ReceiptStatus
from gateway_worker.sessions.changes import Change, ReceiptRow
from gateway_worker.sessions.inbound.receipt_traces import ReceiptTraces
from gateway_worker.sessions.observers import ReceiptSpan, ReceiptTracing
from tests.support.recorder import MemoryRecorder
from tests.unit.sessions.inbound.test_recording import CHAT, NOW, turns

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Spans(ReceiptTracing):
    """Notes which spans begin and end."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str, str]] = []
        self.ended: list[int] = []

    def receipt(self, traceparent: str, *, status: str, message_id: str) -> ReceiptSpan:
        """Begin one."""
        self.begun.append((traceparent, status, message_id))
        return _Span(self, len(self.begun))


class _Span(ReceiptSpan):
    def __init__(self, spans: Spans, number: int) -> None:
        self._spans = spans
        self._number = number

    @property
    def traceparent(self) -> str:
        """Its number, as one."""
        return f"00-4bf92f3577b34da6a3ce929d0e0e4736-{self._number:016x}-01"

    def end(self) -> None:
        """Note it."""
        self._spans.ended.append(self._number)


def receipt(message_id: str, status: ReceiptStatus, *, waits: bool = False) -> Change:
    """Return a receipt with its event."""
    data = MessageReceiptData(
        message_id=message_id,
        chat=CHAT,
        status=status,
        participant=Participant(jid=CHAT),
        timestamp=NOW,
    )
    row = ReceiptRow(
        chat=CHAT,
        message_id=message_id,
        participant=CHAT,
        status=status,
        timestamp=NOW,
        waits=waits,
    )
    event = MessageReceipt(source="/workers/w", subject="s", data=data)
    return Change(session_id="s", epoch=1, receipt=row, events=(event,))


async def test_the_first_receipt_of_each_status_is_told_within_the_trace() -> None:
    """Others, and those of messages without a trace, are recorded as they are."""
    spans, journal = Spans(), MemoryRecorder()
    traces = ReceiptTraces(tracing=spans, remembered=2)
    record = traces.recording(journal.record)
    traces.sent((CHAT, "A"), SENT)

    for message_id, status in (
        ("A", ReceiptStatus.DELIVERED),
        ("A", ReceiptStatus.READ),
        ("A", ReceiptStatus.READ),
        ("B", ReceiptStatus.READ),
    ):
        await record(receipt(message_id, status))
    await turns()

    assert spans.begun == [(SENT, "delivered", "A"), (SENT, "read", "A")]
    assert spans.ended == [1, 2]
    told = [event.traceparent for change in journal.changes for event in change.events]
    assert [parent and parent[36:52] for parent in told] == [f"{1:016x}", f"{2:016x}", None, None]


async def test_one_that_comes_before_the_end_of_its_send_has_its_span_later() -> None:
    """What came too early ends no span, and counts for nothing."""
    spans, journal = Spans(), MemoryRecorder()
    journal.executing.add("s")
    traces = ReceiptTraces(tracing=spans, remembered=2)
    record = traces.recording(journal.record)
    traces.sent((CHAT, "A"), SENT)

    early = await record(receipt("A", ReceiptStatus.READ, waits=True))
    await turns()
    journal.executing.clear()
    await record(receipt("A", ReceiptStatus.READ))
    await turns()

    assert early.early
    assert spans.ended == [2]


async def test_only_so_many_messages_are_remembered() -> None:
    """The oldest is forgotten."""
    spans, journal = Spans(), MemoryRecorder()
    traces = ReceiptTraces(tracing=spans, remembered=1)
    record = traces.recording(journal.record)
    traces.sent((CHAT, "A"), SENT)
    traces.sent((CHAT, "B"), SENT)

    await record(receipt("A", ReceiptStatus.READ))
    await record(receipt("B", ReceiptStatus.READ))

    assert [message_id for _, _, message_id in spans.begun] == ["B"]
