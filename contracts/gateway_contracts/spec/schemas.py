"""JSON Schemas of the messages (draft 2020-12), one document each or all together.

They describe what is on the wire: where a model fills an attribute in by itself when it is built in
Python, the schema still requires it. Unknown fields are allowed everywhere.
"""

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema

from gateway_contracts.codec import REQUIRED_ATTRIBUTES
from gateway_contracts.envelope import DATASCHEMA_BASE, Envelope
from gateway_contracts.spec.catalog import is_command, type_of

_ALWAYS_WRITTEN = frozenset({"time", "datacontenttype"})
"""Attributes that are optional in commands and always there in events."""


class _Plain(GenerateJsonSchema):
    """Leaves out what only repeats: titles made from names, and `null` as a default."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def message_schema(model: type[Envelope]) -> dict[str, Any]:
    """Return one message's schema as a document of its own, with `$id`."""
    schema = model.model_json_schema(schema_generator=_Plain)
    _require_tags(schema, schema.get("$defs", {}))
    _require_attributes(schema, model)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{DATASCHEMA_BASE}{type_of(model)}",
        **schema,
    }


def shared_schemas(models: Iterable[type[Envelope]], *, ref_prefix: str) -> dict[str, Any]:
    """Return the schemas of several messages and their parts by name.

    Args:
        models: The messages.
        ref_prefix: Where the result will stand, for references: `#/components/schemas/`.
    """
    models = list(models)
    _, whole = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=ref_prefix + "{model}",
        schema_generator=_Plain,
    )
    schemas: dict[str, Any] = whole["$defs"]
    _require_tags(schemas, schemas)
    for model in models:
        _require_attributes(schemas[model.__name__], model)
    return schemas


def _require_attributes(schema: dict[str, Any], model: type[Envelope]) -> None:
    required = REQUIRED_ATTRIBUTES if is_command(model) else REQUIRED_ATTRIBUTES | _ALWAYS_WRITTEN
    _require(schema, required)


def _require_tags(node: Any, definitions: dict[str, Any]) -> None:
    """Make the tag of each tagged union required, in place of OpenAPI's `discriminator`."""
    if isinstance(node, list):
        for item in node:
            _require_tags(item, definitions)
    elif isinstance(node, dict):
        discriminator = node.get("discriminator")
        if "oneOf" in node and isinstance(discriminator, dict):
            del node["discriminator"]
            for reference in discriminator["mapping"].values():
                member = definitions[reference.rsplit("/", 1)[1]]
                _require(member, {discriminator["propertyName"]})
        for item in node.values():
            _require_tags(item, definitions)


def _require(schema: dict[str, Any], names: Iterable[str]) -> None:
    required = {*schema.get("required", ()), *names}
    schema["required"] = [name for name in schema["properties"] if name in required]
