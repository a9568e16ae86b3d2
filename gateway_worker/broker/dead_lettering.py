"""What goes to the dead letters, as the message that says why."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import new_id
from gateway_contracts.properties import PERSISTENT
from gateway_worker.broker.headers import kept_headers
from gateway_worker.broker.letters import BYTES, SHA256, errors_header
from gateway_worker.broker.oversize import Cut
from gateway_worker.commands.ports import Refusal
from gateway_worker.sessions.changes import OutboxRow

JSON_TYPE: Final = "application/json"
UNPUBLISHABLE: Final = "unpublishable"
"""Why an event is among the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A command that nobody can execute, as it came, and where it came from.

    Attributes:
        message: The command.
        cut: What is known of its body if that was too large to be kept.
        queue: The queue it was taken from.
        attempts: How often it was handed out.
        refusal: Why it ends here.
    """

    message: AbstractIncomingMessage
    cut: Cut | None = None
    queue: str
    attempts: int
    refusal: Refusal


def dead_command(letter: DeadLetter, *, source: str) -> Message:
    """Return a dead command as a worker (`source`) puts it to the dead letters."""
    came, cut = letter.message, letter.cut
    lost: dict[str, Any] = {}
    if cut is not None:
        lost = {BYTES: cut.size, SHA256: cut.sha256}
    return Message(
        came.body if cut is None else orjson.dumps(lost),
        content_type=came.content_type,
        content_encoding=came.content_encoding,
        delivery_mode=PERSISTENT,
        message_id=came.message_id or new_id(),
        correlation_id=came.correlation_id,
        type=came.type,
        timestamp=came.timestamp,
        app_id=came.app_id,
        headers={
            **kept_headers(came.headers),
            **lost,
            "wa-dead-code": letter.refusal.code,
            "wa-dead-reason": letter.refusal.reason,
            **errors_header(letter.refusal.errors),
            "wa-dead-attempts": letter.attempts,
            "wa-dead-routing-key": came.routing_key or "",
            "wa-dead-queue": letter.queue,
            **_signed(source),
        },
    )


def dead_event(row: OutboxRow, *, reason: str, source: str) -> Message:
    """Return what a worker (`source`) says of an event that cannot be published, by its digest."""
    told: dict[str, Any] = {BYTES: len(row.body), SHA256: hashlib.sha256(row.body).hexdigest()}
    return Message(
        orjson.dumps({"type": row.type, "subject": row.session_id, **told}),
        content_type=JSON_TYPE,
        delivery_mode=PERSISTENT,
        message_id=row.event_id,
        type=row.type,
        app_id=source,
        headers={
            **told,
            "wa-dead-code": UNPUBLISHABLE,
            "wa-dead-reason": reason,
            "wa-dead-routing-key": row.session_id,
            **_signed(source),
        },
    )


def _signed(source: str) -> dict[str, Any]:
    return {"wa-dead-by": source, "wa-dead-at": datetime.now(UTC).isoformat()}
