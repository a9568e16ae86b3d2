"""Events as they go out, encoded before the transaction so that no row stays locked meanwhile."""

from dataclasses import dataclass
from functools import cache

from gateway_contracts import SessionEvent, Topology, dataschema_for, encode, format_sequence
from gateway_worker.sessions.changes import OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event that waits for its place in the session's stream.

    Attributes:
        event: The event, without `sequence`.
        opening: Its JSON but for the closing brace.
        routing_key: Where it goes.
    """

    event: SessionEvent
    opening: bytes
    routing_key: str

    @classmethod
    def of(cls, event: SessionEvent) -> "Draft":
        """Encode an event; raises ValueError if it has a `sequence` already."""
        if event.sequence is not None:
            raise ValueError("an event gets its sequence at the commit, not before")
        if event.dataschema is None:
            opening = encode(event)[:-1] + _dataschema(event.type)
        else:
            opening = encode(event)[:-1]
        return cls(
            event=event,
            opening=opening,
            routing_key=Topology.event_key(event.type, event.subject),
        )

    def body(self, sequence: int | None) -> bytes:
        """Return the finished JSON.

        The members are appended as bytes: encoding the event a second time, with them set, takes
        half as long again.
        """
        if sequence is None:
            return self.opening + b"}"
        return b'%b,"sequence":"%b"}' % (self.opening, format_sequence(sequence).encode())

    def row(self, outbox_id: int, body: bytes, sequence: int | None) -> OutboxRow:
        """Return the event as it is stored."""
        event = self.event
        return OutboxRow(
            outbox_id=outbox_id,
            event_id=event.id,
            type=event.type,
            session_id=event.subject,
            routing_key=self.routing_key,
            body=body,
            correlation_id=event.correlationid,
            traceparent=event.traceparent,
            sequence=sequence,
        )


@cache
def _dataschema(event_type: str) -> bytes:
    return b',"dataschema":"%b"' % dataschema_for(event_type).encode()
