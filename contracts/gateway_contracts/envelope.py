"""The CloudEvents 1.0 envelope that every command and event shares (structured mode, JSON).

Attribute names are lower-case letters and digits, as the specification wants; `correlationid`,
`sequence`, `expirytime` and `traceparent` are its documented extensions, `tenantid` is ours.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import uuid_utils
from pydantic import Field

from gateway_contracts.marks import PERSONAL, Part
from gateway_contracts.model import (
    TENANT_PATTERN,
    TRACEPARENT_PATTERN,
    CommandId,
    Jid,
    RuntimeMs,
    SessionId,
    Timestamp,
    WireModel,
)

CONTENT_TYPE = "application/cloudevents+json"
"""AMQP `content_type` of every message."""

DATASCHEMA_BASE = "urn:gateway-contracts:v1:"
"""Prefix of the URI that names a message's schema; what follows is the message's type."""

Sequence = Annotated[
    str,
    Field(pattern=r"^[0-9]{20}$"),
    Part(
        module=__name__,
        name="Sequence",
        description="Position in the session's stream of events: gapless, from 1, zero-padded to "
        "20 digits so that it sorts as text (CloudEvents sequence extension). A session that is "
        "created under the name of a deleted one goes on counting.",
        examples=("00000000000000000042",),
    ),
]


def new_id() -> str:
    """Return a fresh UUIDv7: unique, and sorted by the time of its making."""
    return str(uuid_utils.uuid7())


def dataschema_for(message_type: str) -> str:
    """Return the URI of the schema that the `data` of a message of this type adheres to.

    Behind the prefix `DATASCHEMA_BASE` it names the schema's file, `schemas/<type>.json`, and then
    the place in it.
    """
    return f"{DATASCHEMA_BASE}{message_type}#/properties/data"


def utc_now() -> datetime:
    """Return the wall clock's time, aware, in UTC."""
    return datetime.now(UTC)


def format_sequence(number: int) -> str:
    """Write a sequence number (1 or more) the way the wire has it."""
    return f"{number:020d}"


class Envelope(WireModel):
    """Attributes of CloudEvents 1.0 with this contract's extensions."""

    specversion: Literal["1.0"] = "1.0"
    id: CommandId = Field(
        default_factory=new_id,
        description="Unique. Of a command: the idempotency key, a repeat gets the stored outcome "
        "again. Of an event: what a reader tells repeats by.",
    )
    source: str = Field(
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Who made it: `/backends/<name>` or `/workers/<id>`.",
        examples=["/backends/crm"],
    )
    type: str
    time: Timestamp = Field(default_factory=utc_now)
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = Field(
        None,
        max_length=256,
        pattern=r"^[\x21-\x7e]+$",
        description="URI of the schema of `data`.",
        examples=["urn:gateway-contracts:v1:wa.message.send.v1#/properties/data"],
    )
    tenantid: str | None = Field(
        None,
        max_length=64,
        pattern=TENANT_PATTERN,
        description="The backend's own customer.",
    )
    correlationid: CommandId | None = Field(
        None, description="On events: the command that this is the result or consequence of."
    )
    traceparent: str | None = Field(
        None,
        pattern=TRACEPARENT_PATTERN,
        description="W3C trace context; continued by whatever follows from this message.",
    )


FLEET: Final = "_fleet"
"""The subject of commands that concern no single session, and of their outcomes; no session can
have this name."""


class CommandEnvelope(Envelope):
    """What a backend asks of one session.

    It is published to `wa.commands` with the session id as the routing key.
    """

    subject: SessionId
    expirytime: Timestamp | None = Field(
        None, description="Deadline: past it the command fails with `expired` and does nothing."
    )
    maxruntimems: RuntimeMs | None = Field(
        None,
        description="How long the command may run, from the beginning of its first attempt, its "
        "waiting for a connection and its further attempts included. Then it fails: with `expired` "
        "if it has had no effect, a send that WhatsApp has and does not answer with `uncertain`.",
    )


class SessionEventEnvelope(Envelope):
    """What happened to one session. Its place among the session's events is `sequence`.

    Only the outcome of a command for a session that its worker does not own has no sequence.
    """

    subject: SessionId
    sequence: Sequence | None = None


class SessionEventData(WireModel):
    """What the data of every event of a session has."""

    session_metadata: dict[str, Annotated[str, PERSONAL]] | None = Field(
        None,
        description="`metadata` of the session's `session.create`; absent if there was none, and "
        "in events without a `sequence`.",
    )


class ChatEventData(SessionEventData):
    """What the data of every event about a chat has."""

    chat_id: Jid | None = Field(
        None,
        description="The conversation's name for good: the same by whichever of a person's ids a "
        "message comes. It is the id under which the conversation was first seen, and is changed "
        "by nothing but `chat.merged`.",
    )
    chat_lid: Jid | None = Field(
        None, description="The other person's LID, if the conversation has one and it is known."
    )


class WorkerEventEnvelope(Envelope):
    """What a worker says of itself; `subject` is the worker's id."""

    subject: str = Field(description="The worker's id.", examples=["gateway-worker-0"])
