"""The AMQP properties that go with a message, as a value that any client library can use."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway_contracts.envelope import CONTENT_TYPE, Envelope
from gateway_contracts.events.worker import WorkerHeartbeat

PERSISTENT = 2
TRANSIENT = 1

HEARTBEAT_EXPIRATION = timedelta(seconds=15)
"""How long the broker keeps a heartbeat that nobody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpProperties:
    """Properties of one AMQP 0-9-1 message. The envelope in the body is what counts.

    Attributes:
        message_id: The message's id, unique among all publishes in flight on a channel.
        correlation_id: On events: the command that this is the result or consequence of.
        type: The message's `type`.
        timestamp: When it was made. AMQP keeps whole seconds; the body has the fraction.
        app_id: Its `source`.
        content_type: Always CloudEvents as JSON.
        delivery_mode: 2 (written to disk), and 1 for heartbeats.
        expiration: Set on heartbeats only. A command's deadline is `expirytime` in the body, so
            that an expired command yields an outcome and not silence.
        headers: `traceparent` if the message has one.
    """

    message_id: str
    correlation_id: str | None
    type: str
    timestamp: datetime
    app_id: str
    content_type: str = CONTENT_TYPE
    delivery_mode: int = PERSISTENT
    expiration: timedelta | None = None
    headers: dict[str, str] = field(default_factory=dict, hash=False)


def properties_for(message: Envelope) -> AmqpProperties:
    """Return the properties to publish `message` with."""
    alive = isinstance(message, WorkerHeartbeat)
    return AmqpProperties(
        message_id=message.id,
        correlation_id=message.correlationid,
        type=message.type,
        timestamp=message.time,
        app_id=message.source,
        delivery_mode=TRANSIENT if alive else PERSISTENT,
        expiration=HEARTBEAT_EXPIRATION if alive else None,
        headers={"traceparent": message.traceparent} if message.traceparent else {},
    )
