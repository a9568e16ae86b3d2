"""An event as a client hands it on."""

from dataclasses import dataclass

from gateway_contracts.envelope import SessionEventEnvelope
from gateway_contracts.events import Event


class UnknownEvent(SessionEventEnvelope):
    """An event of a type that only a later version knows; it counts in the order of its session."""

    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """An event that is new.

    Attributes:
        event: The event.
        routing_key: The key that it came with: its type and its subject.
        body: The bytes that came.
        missing: How many events of its session are missing before it; `session.replay` brings
            those that the queue should have got.
    """

    event: Event
    routing_key: str
    body: bytes
    missing: int = 0
