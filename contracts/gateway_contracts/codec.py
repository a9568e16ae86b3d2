"""From bytes to models and back; what cannot be read is explained, field by field."""

import codecs
import json
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from gateway_contracts.commands import Command
from gateway_contracts.envelope import Envelope
from gateway_contracts.errors import ErrorBody, ErrorCode, FieldError
from gateway_contracts.events import Event
from gateway_contracts.later_versions import as_known
from gateway_contracts.model import SENTENCES, SESSION_NAME
from gateway_contracts.pointers import pointer
from gateway_contracts.unions import members

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
_ADDRESSABLE = re.compile(SESSION_NAME)
_READABLE_SOURCE = re.compile(r"[\x21-\x7e]{1,255}")
_READABLE_ID = re.compile(r"[\x21-\x7e]{1,128}")
_FIELD_ERRORS_AT_MOST = 20
_ATTRIBUTES_WITHIN = 65_536
_WORKERS = "/workers/"
_VERSION = re.compile(r"\.v[0-9]+$")


def _without_version(message_type: str) -> str:
    return _VERSION.sub("", message_type)


def _types(union: Any) -> frozenset[str]:
    return frozenset(map(_without_version, members(union, "type")))


_COMMAND_TYPES, _EVENT_TYPES = _types(Command), _types(Event)

REQUIRED_ATTRIBUTES = frozenset({"specversion", "id", "source", "type"})
"""What CloudEvents 1.0 wants of every message. The models fill them in when they are built in
Python, but a command that arrives without an id of its own could never be told from its repeat.
"""

MAX_COMMAND_BYTES = 262_144
"""The largest command a worker reads, in bytes. Media travels by reference, never inside."""


class CommandRejectedError(ValueError):
    """A body is no command.

    Its texts never repeat what was sent: that may be a phone number or a message.

    Attributes:
        error: What is wrong, as the contract's error body.
        command_id: The command's id if it could be read.
        session_id: The session it was for if that could be read and is a session id.
        has_subject: Whether it names a session at all, even if that cannot be one.
        command_type: Its `type` if that could be read.
        source: Its `source` if that could be read.
    """

    def __init__(
        self,
        error: ErrorBody,
        *,
        command_id: str | None = None,
        session_id: str | None = None,
        command_type: str | None = None,
        source: str | None = None,
        has_subject: bool = False,
    ) -> None:
        super().__init__(error.detail or error.title)
        self.error = error
        self.command_id = command_id
        self.session_id = session_id
        self.command_type = command_type
        self.has_subject = has_subject
        self.source = source

    @property
    def is_event(self) -> bool:
        """Whether it is an event of the gateway's that came back to it.

        By its type, or, for one of a later version, by its source.
        """
        if self.command_type is not None:
            if is_event_type(self.command_type):
                return True
            if _without_version(self.command_type) in _COMMAND_TYPES:
                return False
        return self.is_workers

    @property
    def is_workers(self) -> bool:
        """Whether it says that a worker has sent it, which sends no commands."""
        return self.source is not None and self.source.startswith(_WORKERS)

    @property
    def addressable(self) -> bool:
        """Whether a `command.failed` can be sent: both ids are known, and it is no event.

        What is no command is never answered: an answer is an event, and would come back too.
        """
        known = self.command_id is not None and self.session_id is not None
        return known and not self.is_event and not self.is_workers


def is_event_type(message_type: str) -> bool:
    """Tell whether a type is that of an event, of whatever version."""
    return _without_version(message_type) in _EVENT_TYPES


def readable_id(text: str | None) -> str | None:
    """Return a text if it can be a command's id, or None."""
    return text if text is not None and _READABLE_ID.fullmatch(text) else None


def session_id_in(text: str | None) -> str | None:
    """Return a text if it can be a session's id, or None."""
    return text if text is not None and _ADDRESSABLE.fullmatch(text) else None


def parse_command(body: bytes, *, max_bytes: int = MAX_COMMAND_BYTES) -> Command:
    """Read a command.

    Raises:
        CommandRejectedError: With every fault found (at most 20), and whatever ids can be read.
    """
    if len(body) > max_bytes:
        raise _rejected(body, _too_large(len(body), max_bytes))
    try:
        command = _COMMANDS.validate_json(body, strict=True)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise _rejected(body, _what_is_wrong(body, faults), faults) from None
    if not command.model_fields_set >= REQUIRED_ATTRIBUTES:
        raise _rejected(body, "the command does not fit its schema", ())
    if command.source.startswith(_WORKERS):
        raise _rejected(body, f"the source of a command is not below {_WORKERS}")
    return command


def oversized_command(head: bytes, *, size_bytes: int) -> CommandRejectedError:
    """Return the refusal of a command of which only the beginning was read.

    Args:
        head: The beginning.
        size_bytes: The size of the whole.
    """
    return _rejected(head, _too_large(size_bytes, MAX_COMMAND_BYTES))


def _too_large(size_bytes: int, limit: int) -> str:
    return f"the command has {size_bytes} bytes; at most {limit} are read"


def parse_event(body: bytes) -> Event:
    """Read an event.

    Raises:
        pydantic.ValidationError: The body is no event of this version.
    """
    return _EVENTS.validate_json(body)


def parse_known_event(body: bytes) -> Event | None:
    """Read an event, or return None for a type that only a later version knows.

    What a later version has added to a known type is left out, or read as the nearest thing: a
    kind of content that is not known here is `unsupported`, an error's code `internal`.

    Raises:
        pydantic.ValidationError: The body is no event at all, or a known one with faults.
    """
    try:
        return _EVENTS.validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        first = faults[0]
        if first["type"] == "union_tag_invalid" and not first["loc"]:
            tag: str = first["ctx"]["tag"]
            if tag.startswith("wa."):
                return None
        known = as_known(body, faults, Event)
        if known is None:
            raise
    return _EVENTS.validate_python(known)


def encode(message: Envelope) -> bytes:
    """Write a command or an event as UTF-8 JSON, absent values left out."""
    return message.__pydantic_serializer__.to_json(message, exclude_none=True)


def _rejected(
    body: bytes, detail: str, faults: "list[ErrorDetails] | tuple[()] | None" = None
) -> CommandRejectedError:
    attributes = _attributes(body)
    return CommandRejectedError(
        ErrorBody.of(
            ErrorCode.INVALID_COMMAND,
            detail,
            errors=() if faults is None else _field_errors(faults, attributes),
        ),
        command_id=_text(attributes, "id", _READABLE_ID),
        session_id=_text(attributes, "subject", _ADDRESSABLE),
        command_type=_text(attributes, "type", _READABLE_ID),
        source=_text(attributes, "source", _READABLE_SOURCE),
        has_subject=(attributes or {}).get("subject") is not None,
    )


def _what_is_wrong(body: bytes, faults: list[ErrorDetails]) -> str:
    first = faults[0]
    if body.startswith(codecs.BOM_UTF8):
        return "the body begins with a byte order mark; send UTF-8 without one"
    if first["type"] == "json_invalid":
        return f"the body is not readable JSON: {first['ctx']['error']}"
    if first["type"] in ("dict_type", "model_type") and not first["loc"]:
        return "the body is not a JSON object"
    return "the command does not fit its schema"


def _attributes(body: bytes) -> dict[str, Any] | None:
    # Lenient, because an id is worth finding in a broken body too; the second reading stops where
    # the JSON breaks and does not go far into a body that is too long.
    value: Any = None
    body = body.removeprefix(codecs.BOM_UTF8)
    if len(body) <= MAX_COMMAND_BYTES:
        try:
            text = body.decode(errors="replace")
            value = json.loads(text, parse_int=_no_number, parse_float=_no_number)
        except (ValueError, RecursionError):
            value = None
    if value is None:
        try:
            value = from_json(body[:_ATTRIBUTES_WITHIN], allow_partial=True)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _no_number(_digits: str) -> None:
    """Stand for a number: Python refuses to read very long ones, and no attribute is one."""


def _text(attributes: dict[str, Any] | None, name: str, form: re.Pattern[str]) -> str | None:
    value = (attributes or {}).get(name)
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _field_errors(
    faults: "list[ErrorDetails] | tuple[()]", attributes: dict[str, Any] | None
) -> tuple[FieldError, ...]:
    if attributes is None or any(fault["type"] == "json_invalid" for fault in faults):
        return ()
    errors = [_field_error(fault) for fault in faults[:_FIELD_ERRORS_AT_MOST]]
    named = {error.pointer for error in errors}
    errors += [
        FieldError(pointer=f"/{name}", detail="Field required")
        for name in sorted(REQUIRED_ATTRIBUTES - attributes.keys())
        if f"/{name}" not in named
    ]
    return tuple(errors[:_FIELD_ERRORS_AT_MOST])


def faults_of(error: ValidationError, root: Any) -> tuple[FieldError, ...]:
    """Explain why a part of a command is none, field by field, without repeating what was sent.

    Args:
        error: Of pydantic's.
        root: The model that was validated against; the pointers begin there.
    """
    faults = error.errors(include_input=False, include_url=False)
    return tuple(_field_error(fault, root) for fault in faults[:_FIELD_ERRORS_AT_MOST])


def _field_error(fault: ErrorDetails, root: Any = Command) -> FieldError:
    at, context = pointer(fault["loc"], root), fault.get("ctx", {})
    # pydantic points at the union and repeats the tag it got; the contract points at the tag.
    if fault["type"] == "union_tag_not_found":
        return FieldError(pointer=f"{at}/{_discriminator(context)}", detail="Field required")
    if fault["type"] == "union_tag_invalid":
        return FieldError(
            pointer=f"{at}/{_discriminator(context)}",
            detail=f"Input should be one of {context['expected_tags']}",
        )
    if fault["type"] == "string_pattern_mismatch" and context["pattern"] in SENTENCES:
        return FieldError(pointer=at, detail=SENTENCES[context["pattern"]])
    return FieldError(pointer=at, detail=fault["msg"].removeprefix("Value error, "))


def _discriminator(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")
