"""What several contract tests share: golden payloads as bytes, and the committed schemas."""

import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource

import gateway_contracts
from gateway_contracts import parse_command, parse_event
from gateway_contracts.envelope import Envelope
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.spec.examples import Example

PACKAGE = Path(gateway_contracts.__file__).parent
DOCUMENTS: dict[str, dict[str, Any]] = {
    file.name: json.loads(file.read_text("utf-8")) for file in (PACKAGE / "schemas").glob("*.json")
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (document["$id"], Resource.from_contents(document)) for document in DOCUMENTS.values()
)

FORMATS = FormatChecker(formats=())
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"t([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)


@FORMATS.checks("date")
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or _is_day(value)


@FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return _is_day(value[:10]) and _TIME.fullmatch(value[10:]) is not None


def _is_day(text: str) -> bool:
    if not _FULL_DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@cache
def _as_ecma(pattern: str) -> re.Pattern[str]:
    # Python's `$` also matches before a last newline; ECMA's, which JSON Schema means, does not.
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Any:
    if isinstance(value, str) and not _as_ecma(pattern).search(value):
        yield ValidationError(f"does not match {pattern}")


SchemaValidator = extend(  # type: ignore[no-untyped-call] # its stubs leave it out
    Draft202012Validator, {"pattern": _pattern}
)


def validator(schema: dict[str, Any]) -> Any:
    """Return a validator that also checks formats."""
    return SchemaValidator(schema, format_checker=FORMATS)


def message_validator(message_type: str) -> Any:
    """Return a validator of one type's messages that reads the committed documents."""
    return SchemaValidator(
        DOCUMENTS[f"{message_type}.json"], registry=REGISTRY, format_checker=FORMATS
    )


def part_validator(name: str) -> Any:
    """Return a validator of what a model of this name describes, wherever that stands."""
    (file,) = (file for file, document in DOCUMENTS.items() if name in document.get("$defs", ()))
    reference = {"$ref": f"{file}#/$defs/{name}"}
    return SchemaValidator(reference, registry=REGISTRY, format_checker=FORMATS)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a document."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from nodes(child)


def references(node: Any) -> set[str]:
    """Return what a document refers to."""
    return {found["$ref"] for found in nodes(node) if isinstance(found.get("$ref"), str)}


def described(message_type: str) -> list[Any]:
    """Return a message's document and every definition that it refers to, directly or not."""
    found: dict[str, Any] = {f"{message_type}.json": DOCUMENTS[f"{message_type}.json"]}
    waiting = [(f"{message_type}.json", found[f"{message_type}.json"])]
    while waiting:
        file, node = waiting.pop()
        for reference in references(node):
            target = f"{file}{reference}" if reference.startswith("#") else reference
            if target not in found:
                found[target] = REGISTRY.resolver().lookup(target).contents
                waiting.append((target.partition("#")[0], found[target]))
    return list(found.values())


def body(payload: object) -> bytes:
    """Write a payload the way another language's JSON library would."""
    return json.dumps(payload).encode()


def parse(example: Example) -> Envelope:
    """Read a golden payload with the parser that its direction calls for."""
    reader = parse_command if example.type in COMMANDS else parse_event
    return reader(body(example.payload))
