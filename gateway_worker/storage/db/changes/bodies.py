"""Events as they go out, encoded before the transaction so that no row stays locked meanwhile."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Final

from gateway_contracts import SessionEvent, Topology, dataschema_for, encode, format_sequence
from gateway_worker.sessions.changes import OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of an event only at its commit.

    Attributes:
        command_id: The command whose message it is about, if it does not name one itself.
        client_ref: What that command's backend calls the message.
        metadata: The session's `metadata`, as JSON, if it has any.
        chat_id: What the conversation is called that it is about.
    """

    command_id: str | None = None
    client_ref: str | None = None
    metadata: str | None = None
    chat_id: str | None = None


NOTHING_FOUND: Final = Found()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event that waits for its place in the session's stream.

    Attributes:
        event: The event, without `sequence`.
        opening: Its JSON up to the closing brace of `data`, which is its last member.
        closing: That brace, and what follows it but for the event's own.
        routing_key: Where it goes.
    """

    event: SessionEvent
    opening: bytes
    closing: bytes
    routing_key: str

    @classmethod
    def of(cls, event: SessionEvent) -> "Draft":
        """Encode an event; raises ValueError if it has a `sequence` already."""
        if event.sequence is not None:
            raise ValueError("an event gets its sequence at the commit, not before")
        return cls(
            event=event,
            opening=encode(event)[:-2],
            closing=b"}" if event.dataschema is not None else b"}" + _dataschema(event.type),
            routing_key=Topology.event_key(event.type, event.subject),
        )

    def correlation(self, found: Found) -> str | None:
        """Return its `correlationid`: its own, or else the command that was found for it."""
        return self.event.correlationid or found.command_id

    def body(self, sequence: int | None, found: Found = NOTHING_FOUND) -> bytes:
        """Return the finished JSON.

        The members are appended as bytes: encoding the event a second time, with them set, takes
        half as long again.

        Args:
            sequence: Its place in the session's stream, if it has one.
            found: What is known of it by now.
        """
        parts = [self.opening]
        if found.metadata is not None:
            parts.append(b',"session_metadata":%b' % found.metadata.encode())
        if found.chat_id is not None:
            parts.append(b',"chat_id":%b' % json.dumps(found.chat_id).encode())
        if found.client_ref is not None:
            parts.append(b',"client_ref":%b' % json.dumps(found.client_ref).encode())
        parts.append(self.closing)
        if found.command_id is not None and self.event.correlationid is None:
            parts.append(b',"correlationid":%b' % json.dumps(found.command_id).encode())
        if sequence is not None:
            parts.append(b',"sequence":"%b"' % format_sequence(sequence).encode())
        parts.append(b"}")
        return b"".join(parts)

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
