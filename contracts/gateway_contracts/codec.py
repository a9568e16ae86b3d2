"""From bytes to models and back; what cannot be read is explained, field by field."""

import json
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway_contracts.commands import Command
from gateway_contracts.envelope import Envelope
from gateway_contracts.errors import ErrorBody, ErrorCode, FieldError
from gateway_contracts.events import Event

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
_ADDRESSABLE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
_READABLE_ID = re.compile(r"^[\x21-\x7e]{1,128}$")
_FIELD_ERRORS_AT_MOST = 20

MAX_COMMAND_BYTES = 262_144
"""The largest command a worker reads, in bytes. Media travels by reference, never inside."""


class CommandRejectedError(ValueError):
    """A body is no command.

    Attributes:
        error: What is wrong, as the contract's error body.
        command_id: The command's id if it could be read.
        session_id: The session it was for if that could be read and is a session id.
        command_type: Its `type` if that could be read.
    """

    def __init__(
        self,
        error: ErrorBody,
        *,
        command_id: str | None = None,
        session_id: str | None = None,
        command_type: str | None = None,
    ) -> None:
        super().__init__(error.detail or error.title)
        self.error = error
        self.command_id = command_id
        self.session_id = session_id
        self.command_type = command_type

    @property
    def addressable(self) -> bool:
        """Whether a `command.failed` can be sent: both ids are known."""
        return self.command_id is not None and self.session_id is not None


def parse_command(body: bytes, *, max_bytes: int = MAX_COMMAND_BYTES) -> Command:
    """Read a command.

    Raises:
        CommandRejectedError: With every fault found (at most 20), and whatever ids can be read.
    """
    if len(body) > max_bytes:
        raise _rejected(body, f"the command has {len(body)} bytes; at most {max_bytes} are read")
    try:
        return _COMMANDS.validate_json(body)
    except ValidationError as error:
        raise _rejected(body, "the command does not fit its schema", error) from None


def parse_event(body: bytes) -> Event:
    """Read an event.

    Raises:
        pydantic.ValidationError: The body is no event of this version.
    """
    return _EVENTS.validate_json(body)


def encode(message: Envelope) -> bytes:
    """Write a command or an event as UTF-8 JSON, absent values left out."""
    return message.model_dump_json(exclude_none=True).encode()


def _rejected(
    body: bytes, detail: str, cause: ValidationError | None = None
) -> CommandRejectedError:
    attributes = _attributes(body)
    if attributes is None:
        detail = "the body is not a JSON object"
    return CommandRejectedError(
        ErrorBody.of(
            ErrorCode.INVALID_COMMAND,
            detail,
            errors=_field_errors(cause) if cause and attributes is not None else (),
        ),
        command_id=_text(attributes, "id", _READABLE_ID),
        session_id=_text(attributes, "subject", _ADDRESSABLE),
        command_type=_text(attributes, "type", _READABLE_ID),
    )


def _attributes(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(attributes: dict[str, Any] | None, name: str, form: re.Pattern[str]) -> str | None:
    value = (attributes or {}).get(name)
    return value if isinstance(value, str) and form.match(value) else None


def _field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    # The input itself is left out: it may hold a phone number or a message's text.
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return tuple(
        FieldError(pointer=_pointer(fault["loc"]), detail=fault["msg"])
        for fault in faults[:_FIELD_ERRORS_AT_MOST]
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    # The first part of a location inside a tagged union is the tag, not a field.
    parts = [
        str(part).replace("~", "~0").replace("/", "~1")
        for part in location
        if not (isinstance(part, str) and (part.startswith("wa.") and part.endswith(".v1")))
    ]
    return "".join(f"/{part}" for part in parts)
