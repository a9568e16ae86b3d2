"""The definitions behind the schemas: every model and every named part, once, by its name.

They describe what is on the wire: where a model fills an attribute in by itself when it is built in
Python, the schema still requires it. Unknown fields are allowed everywhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import CoreRef, DefsRef, GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from gateway_contracts.codec import REQUIRED_ATTRIBUTES
from gateway_contracts.envelope import Envelope, SessionEventEnvelope, WorkerEventEnvelope
from gateway_contracts.marks import PART

Schema = dict[str, Any]

_ALWAYS_WRITTEN = frozenset({"time", "datacontenttype"})
"""Attributes that are optional in commands and always there in events."""

_HERE = "#/$defs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Schemas that refer to each other as `#/$defs/<name>`.

    Attributes:
        schemas: Each by its name, in the order of the names.
        modules: The module that each was defined in.
    """

    schemas: dict[str, Schema]
    modules: dict[str, str]

    def reachable(self, names: Iterable[str]) -> set[str]:
        """Return the names and all that they refer to, directly or not."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += references(self.schemas[name])
        return found


def definitions_of(models: Iterable[type[Envelope]]) -> Definitions:
    """Describe messages and envelopes, and all that they are made of."""
    models = list(models)
    generator = _Generator(ref_template=_HERE + "{model}")
    _, found = generator.generate_definitions(
        [(model, "validation", model.__pydantic_core_schema__) for model in models]
    )
    schemas: dict[str, Schema] = {str(name): schema for name, schema in found.items()}
    _require_tags(list(schemas.values()), schemas)
    for model in models:
        _require_attributes(schemas[model.__name__], model)
    return Definitions(schemas=schemas, modules=generator.modules)


def references(node: Any) -> Iterator[str]:
    """Yield the name of each definition that a schema refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(_HERE)
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


class _Generator(GenerateJsonSchema):
    """Keeps named parts by their names, and leaves out what only repeats.

    That is titles made from names, and `null` as a default.
    """

    def __init__(self, *, ref_template: str) -> None:
        super().__init__(ref_template=ref_template)
        self.modules: dict[str, str] = {}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        described = super().generate_inner(schema)
        name = described.pop(PART, None)
        return described if name is None else self._named(name, described)

    def get_cache_defs_ref_schema(self, core_ref: CoreRef) -> tuple[DefsRef, JsonSchemaValue]:
        # A reference of pydantic's core is `<module>.<name>:<number>`.
        module, _, name = core_ref.partition(":")[0].rpartition(".")
        self.modules[name] = module
        return super().get_cache_defs_ref_schema(core_ref)

    def _named(self, name: str, described: JsonSchemaValue) -> JsonSchemaValue:
        key, reference = self.get_cache_defs_ref_schema(CoreRef(f"{name}:0"))
        if self.definitions.setdefault(key, described) != described:
            raise ValueError(f"{name} stands for more than one schema")
        return dict(reference)


def _require_attributes(schema: Schema, model: type[Envelope]) -> None:
    is_event = issubclass(model, SessionEventEnvelope | WorkerEventEnvelope)
    _require(schema, REQUIRED_ATTRIBUTES | (_ALWAYS_WRITTEN if is_event else frozenset()))


def _require_tags(node: Any, definitions: dict[str, Schema]) -> None:
    """Make the tag of each tagged union required, in place of OpenAPI's `discriminator`."""
    if isinstance(node, list):
        for item in node:
            _require_tags(item, definitions)
    elif isinstance(node, dict):
        discriminator = node.get("discriminator")
        if "oneOf" in node and isinstance(discriminator, dict):
            del node["discriminator"]
            for reference in discriminator["mapping"].values():
                member = definitions[reference.removeprefix(_HERE)]
                _require(member, {discriminator["propertyName"]})
        for item in node.values():
            _require_tags(item, definitions)


def _require(schema: Schema, names: Iterable[str]) -> None:
    required = {*schema.get("required", ()), *names}
    schema["required"] = [name for name in schema["properties"] if name in required]
