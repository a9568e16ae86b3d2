"""JSON Schemas (draft 2020-12) of the messages, one document each, and of what they share.

References between documents are file names: all stand in one folder, and each has its file's name
as its `$id`, so that tools which follow files and tools which follow `$id` read them alike.
`common.json` refers to nothing, `content.json` to `common.json`, messages to both.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from gateway_contracts.envelope import (
    CommandEnvelope,
    Envelope,
    SessionEventEnvelope,
    WorkerEventEnvelope,
)
from gateway_contracts.spec.catalog import MESSAGES
from gateway_contracts.spec.parts import Definitions, Schema, definitions_of

COMMON = "common.json"
"""The document of what messages share: envelopes, ids, errors, people."""

CONTENT = "content.json"
"""The document of the kinds of content, and of what holds content and is shared."""

_CONTENT = "gateway_contracts.content."
_FAMILIES = (
    "gateway_contracts.commands.",
    "gateway_contracts.events.",
)
"""Modules whose parts stand with the one message that has them, until a second has them too."""

_ENVELOPES: tuple[type[Envelope], ...] = (
    CommandEnvelope,
    SessionEventEnvelope,
    WorkerEventEnvelope,
    Envelope,
)
"""Bases of messages, the most particular first."""

_ABOUT = {
    COMMON: "What messages share: envelopes, ids, errors, people.",
    CONTENT: "What messages carry, told apart by `kind`, and what is built on it.",
}


def schema_documents() -> dict[str, Schema]:
    """Return every document by its file's name."""
    definitions = definitions_of((*MESSAGES.values(), *_ENVELOPES))
    for model in (*MESSAGES.values(), *_ENVELOPES):
        definitions.schemas[model.__name__] = _inheriting(model, definitions.schemas)
    places = _places(definitions)
    documents = {
        name: {**_head(name), "description": about, **_parts(name, definitions, places)}
        for name, about in _ABOUT.items()
    }
    for message_type, model in MESSAGES.items():
        name = schema_file(message_type)
        message = _with_files(definitions.schemas[model.__name__], name, places)
        documents[name] = {**_head(name), **message, **_parts(name, definitions, places)}
    return documents


def schema_file(message_type: str) -> str:
    """Return the name of the document that describes a message of this type."""
    return f"{message_type}.json"


def _head(name: str) -> Schema:
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": name}


def _inheriting(model: type[Envelope], schemas: Mapping[str, Schema]) -> Schema:
    """Return a message's schema, which refers to its envelope for what it takes over unchanged."""
    schema = schemas[model.__name__]
    for base in _ENVELOPES:
        if base is not model and issubclass(model, base):
            inherited = schemas[base.__name__]["properties"]
            own = {
                name: described
                for name, described in schema["properties"].items()
                if inherited.get(name) != described
            }
            # One `type` is narrower than any text; anything else may be wider than in the base.
            if own.keys() & inherited.keys() <= {"type"}:
                reference = {"$ref": f"#/$defs/{base.__name__}"}
                return {"allOf": [reference], **schema, "properties": own}
    return schema


def _places(definitions: Definitions) -> dict[str, str]:
    """Return the document of each part of the messages."""
    used = {
        schema_file(name): definitions.reachable([model.__name__]) - {model.__name__}
        for name, model in MESSAGES.items()
    }
    users = Counter(part for parts in used.values() for part in parts)
    modules = {name: f"{definitions.modules[name]}." for name in users}
    kinds = {name for name in users if modules[name].startswith(_CONTENT)}
    shared = definitions.reachable(
        name for name in users if users[name] > 1 or not modules[name].startswith(_FAMILIES)
    )
    places = {}
    for document, parts in used.items():
        for name in parts:
            holds_content = bool(definitions.reachable([name]) & kinds)
            places[name] = document if name not in shared else CONTENT if holds_content else COMMON
    return places


def _parts(document: str, definitions: Definitions, places: Mapping[str, str]) -> Schema:
    """Return the `$defs` of a document, if it has any."""
    parts = {
        name: _with_files(schema, document, places)
        for name, schema in definitions.schemas.items()
        if places.get(name) == document
    }
    return {"$defs": parts} if parts else {}


def _with_files(node: Any, document: str, places: Mapping[str, str]) -> Any:
    """Let references lead to where each definition stands."""
    if isinstance(node, list):
        return [_with_files(item, document, places) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {name: _with_files(item, document, places) for name, item in node.items()}
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].rpartition("/")[2]
        file = "" if places[name] == document else places[name]
        changed["$ref"] = f"{file}#/$defs/{name}"
    return changed
