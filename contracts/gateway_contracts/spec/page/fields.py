"""Describes JSON Schemas: what is a value, and which fields has an object."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway_contracts.spec.page.markup import code, inline, link, prose, table

Schema = Mapping[str, Any]

_LIMITS = {
    "format": "{}",
    "pattern": "matches {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} names",
}


def anchor_of(reference: str, document: str) -> str:
    """Return the anchor of what a reference leads to.

    Args:
        reference: Such as `common.json#/$defs/SessionId`, or `#/$defs/…` within its document.
        document: The name of the document that has the reference.
    """
    file, _, place = reference.partition("#/$defs/")
    name = (file or document).removesuffix(".json")
    return f"{name}.{place}" if place else name


def kind_of(schema: Schema, document: str) -> str:
    """Return what a value has to be, as HTML."""
    return " or ".join(dict.fromkeys(_kinds(schema, document))) or "anything"


def _kinds(schema: Schema, document: str) -> Iterator[str]:
    if "$ref" in schema:
        anchor = anchor_of(schema["$ref"], document)
        yield link(anchor, anchor.rpartition(".")[2])
    for choice in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(choice, ()):
            yield from _kinds(one, document)
    if "const" in schema:
        yield code(schema["const"])
    elif "enum" in schema:
        yield from map(code, schema["enum"])
    elif schema.get("type") == "array":
        yield f"a list of {kind_of(schema.get('items', {}), document)}"
    elif schema.get("type") == "object" and "properties" not in schema:
        more = schema.get("additionalProperties")
        yield f"names with {kind_of(more, document)}" if isinstance(more, Mapping) else "an object"
    elif "type" in schema:
        yield ", ".join((str(schema["type"]), *_limits(schema)))


def _limits(schema: Schema) -> Iterator[str]:
    for name, words in _LIMITS.items():
        if name in schema:
            yield words.format(code(schema[name]) if name == "pattern" else schema[name])


def fields_of(schema: Schema, document: str) -> str:
    """Return a table of an object's fields, or nothing if it has none."""
    needed = schema.get("required", ())
    rows = [
        (
            code(name),
            kind_of(field, document),
            "yes" if name in needed else "",
            _about(field),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "is", "needed", ""), rows) if rows else ""


def _about(field: Schema) -> str:
    text = inline(str(field.get("description", "")))
    default = field.get("default")
    if default not in (None, [], {}, ""):
        text += f" Default: {code(default)}."
    return f"{text} (personal)" if field.get("x-personal") else text


def definition(anchor: str, schema: Schema, document: str) -> str:
    """Return a part of the contract as a section."""
    name = anchor.rpartition(".")[2]
    what = fields_of(schema, document) or f"<p>{kind_of(schema, document)}</p>"
    about = prose(str(schema.get("description", "")))
    return f'<section id="{anchor}"><h4>{code(name)}</h4>{about}{what}</section>\n'
