"""What a dead letter says of itself, and the message as which it goes on its way again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage
from pydantic import TypeAdapter, ValidationError

from gateway_contracts import FieldError, new_id
from gateway_contracts.properties import PERSISTENT
from gateway_worker.broker.headers import (
    ATTEMPT,
    CONTROL,
    FROM,
    HOP,
    HOPS,
    KEY,
    STAGE,
    kept_headers,
    take_away_claims,
)

LETTER = "wa-dead-"
TURN = "wa-dead-turn"
UNVERIFIED = "wa-dead-unverified-control"
"""What a letter that the broker has moved said of itself in `wa-control`. Anybody may have."""
BYTES = "wa-dead-bytes"
"""The size of a body that was not kept."""
SHA256 = "wa-dead-sha256"
"""Its digest, in hexadecimal."""
ERRORS = "wa-dead-errors"
TOLD_ERRORS = 20
"""Headers have to fit into one frame; who has more faults in one command sees the rest later."""
WORKER_KEY = "worker."
_ERRORS = TypeAdapter(list[FieldError])


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterView:
    """One dead letter, to judge and to choose.

    Attributes:
        id: The message id; for a message without one, made of its content.
        code: Why it is dead: a code of the contract, or what the broker calls it (`rejected`,
            `delivery_limit`) if the broker itself has moved it here.
        reason: The same for a person.
        errors: Each fault in the command, by its place (a JSON Pointer), if that is why.
        attempts: How often it was tried, if that is known.
        routing_key: The key it was published with, and will be replayed under.
        queue: The queue it was taken from, if that is known.
        by: Who gave it up, as `/workers/<id>`; None for the broker.
        at: When that was, if that is known.
        type: The command's type, if it says.
        session_id: The session it is for, if it says.
        control: What it says if it is a message among workers and a worker is known to have sent
            it; None for a command.
        unverified_control: The same if the broker has moved it here: anybody may have sent it.
        lost_bytes: The size of the body if that was too large to be kept.
        body: The raw body, with all the content of the message: not for logs.
    """

    id: str
    code: str
    reason: str
    errors: tuple[FieldError, ...]
    attempts: int | None
    routing_key: str
    queue: str | None
    by: str | None
    at: datetime | None
    type: str | None
    session_id: str | None
    control: str | None = None
    unverified_control: str | None = None
    lost_bytes: int | None = None
    body: bytes = field(repr=False)


def distrust(message: AbstractIncomingMessage) -> None:
    """Take away what a letter says of itself that nobody vouches for.

    For letters that a worker did not bury: their headers are those of whoever published them.
    """
    control = _text(message.headers.get(CONTROL))
    take_away_claims(message)
    if control is not None:
        message.headers[UNVERIFIED] = control


def view(message: AbstractIncomingMessage) -> DeadLetterView:
    """Return what a message of the dead letters says, whatever is missing."""
    headers = message.headers
    death = _last_death(headers)
    key = message.routing_key or ""
    content = _content(message.body)
    given = _text(headers.get("wa-dead-code"))
    # The broker puts its last word first; whoever published it may have put others there before.
    cause = _text(death.get("reason")) or _text(headers.get("x-first-death-reason")) or "unknown"
    return DeadLetterView(
        id=message.message_id or _digest(message),
        code=given or cause,
        reason=_text(headers.get("wa-dead-reason")) or f"moved here by the broker: {cause}",
        errors=_errors(headers.get(ERRORS)),
        attempts=_number(headers.get("wa-dead-attempts")),
        routing_key=_text(headers.get("wa-dead-routing-key")) or key,
        queue=_text(headers.get("wa-dead-queue"))
        or _text(death.get("queue"))
        or _text(headers.get("x-first-death-queue")),
        by=_text(headers.get("wa-dead-by")),
        at=_time(headers.get("wa-dead-at")) or _time(death.get("time")),
        type=message.type or _text(content.get("type")),
        session_id=_text(content.get("subject"))
        or _text(content.get("session"))
        or (key if key and not key.startswith(WORKER_KEY) else None),
        control=_text(headers.get(CONTROL)),
        unverified_control=_text(headers.get(UNVERIFIED)),
        lost_bytes=_number(headers.get(BYTES)),
        body=message.body,
    )


def errors_header(errors: Sequence[FieldError]) -> dict[str, str]:
    """Return the header that tells a command's faults; none if there are none."""
    told = [error.model_dump() for error in errors[:TOLD_ERRORS]]
    return {ERRORS: json.dumps(told)} if told else {}


def deliveries(message: AbstractIncomingMessage) -> int:
    """Return how often the broker has handed a letter out before this time."""
    return _number(message.headers.get("x-delivery-count")) or 0


def turn(message: AbstractIncomingMessage) -> str | None:
    """Return which renewal of the queue has made this copy, if one has."""
    return _text(message.headers.get(TURN))


def copied(message: AbstractIncomingMessage, *, turn_id: str) -> Message:
    """Return a copy that says the same, and was never delivered."""
    letter = view(message)
    told = {
        "wa-dead-code": letter.code,
        "wa-dead-reason": letter.reason,
        **errors_header(letter.errors),
        "wa-dead-attempts": letter.attempts,
        "wa-dead-routing-key": letter.routing_key,
        "wa-dead-queue": letter.queue,
        "wa-dead-by": letter.by,
        "wa-dead-at": letter.at.isoformat() if letter.at else None,
        TURN: turn_id,
    }
    headers = kept_headers(message.headers) | {
        name: value for name, value in told.items() if value is not None
    }
    return _sent_again(message, message_id=letter.id, headers=headers)


def replayed(message: AbstractIncomingMessage, *, trusting: bool = False) -> Message:
    """Return the command as it was first published.

    Args:
        message: The letter.
        trusting: Take what it says in `wa-control` for a worker's word.
    """
    dropped = {ATTEMPT, FROM, HOP, HOPS, KEY, STAGE}
    headers = {
        name: value
        for name, value in kept_headers(message.headers).items()
        if name not in dropped and not name.startswith(LETTER)
    }
    if trusting and (control := view(message).unverified_control) is not None:
        headers[CONTROL] = control
    message_id = message.message_id or new_id()
    return _sent_again(message, message_id=message_id, headers=headers)


def _sent_again(
    message: AbstractIncomingMessage, *, message_id: str, headers: dict[str, Any]
) -> Message:
    return Message(
        message.body,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=PERSISTENT,
        message_id=message_id,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        type=message.type,
        timestamp=message.timestamp,
        app_id=message.app_id,
        headers=headers,
    )


def _last_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else None
    return last if isinstance(last, dict) else {}


def _content(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(message: AbstractIncomingMessage) -> str:
    digest = hashlib.sha256((message.routing_key or "").encode() + b"\0" + message.body)
    return f"sha256-{digest.hexdigest()[:32]}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _errors(value: object) -> tuple[FieldError, ...]:
    try:
        return tuple(_ERRORS.validate_json(value)) if isinstance(value, str) else ()
    except ValidationError:
        return ()


def _time(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
