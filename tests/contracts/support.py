"""What several contract tests share: golden payloads as bytes, and schemas that check formats."""

import json
import re
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from gateway_contracts import parse_command, parse_event
from gateway_contracts.envelope import Envelope
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.spec.examples import Example

FORMATS = FormatChecker(formats=())
_RFC3339 = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


@FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or _RFC3339.fullmatch(value) is not None


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Any:
    # Python's `$` also matches before a last newline; ECMA's, which JSON Schema means, does not.
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"does not match {pattern}")


SchemaValidator = extend(  # type: ignore[no-untyped-call] # its stubs leave it out
    Draft202012Validator, {"pattern": _pattern}
)


def validator(schema: dict[str, Any]) -> Any:
    """Return a validator that also checks formats."""
    return SchemaValidator(schema, format_checker=FORMATS)


def body(payload: object) -> bytes:
    """Write a payload the way another language's JSON library would."""
    return json.dumps(payload).encode()


def parse(example: Example) -> Envelope:
    """Read a golden payload with the parser that its direction calls for."""
    reader = parse_command if example.type in COMMANDS else parse_event
    return reader(body(example.payload))
