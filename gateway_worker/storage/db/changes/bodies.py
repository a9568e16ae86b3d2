"""Events as they go out, encoded before the transaction so that no row stays locked meanwhile."""

import json
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

    def correlation(self, command_id: str | None) -> str | None:
        """Return its `correlationid`: its own, or else the command that was found for it."""
        return self.event.correlationid or command_id

    def body(self, sequence: int | None, command_id: str | None = None) -> bytes:
        """Return the finished JSON.

        The members are appended as bytes: encoding the event a second time, with them set, takes
        half as long again.

        Args:
            sequence: Its place in the session's stream, if it has one.
            command_id: The command that was found for it, if it does not name one itself.
        """
        opening = self.opening
        if command_id is not None and self.event.correlationid is None:
            opening += b',"correlationid":%b' % json.dumps(command_id).encode()
        if sequence is None:
            return opening + b"}"
        return b'%b,"sequence":"%b"}' % (opening, format_sequence(sequence).encode())

    def row(
        self, outbox_id: int, body: bytes, sequence: int | None, correlation: str | None
    ) -> OutboxRow:
        """Return the event as it is stored."""
        event = self.event
        return OutboxRow(
            outbox_id=outbox_id,
            event_id=event.id,
            type=event.type,
            session_id=event.subject,
            routing_key=self.routing_key,
            body=body,
            correlation_id=correlation,
            traceparent=event.traceparent,
            sequence=sequence,
        )


@cache
def _dataschema(event_type: str) -> bytes:
    return b',"dataschema":"%b"' % dataschema_for(event_type).encode()
