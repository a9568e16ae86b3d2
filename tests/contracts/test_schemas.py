"""The JSON Schemas: valid, self-contained, and where `dataschema` says they are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import gateway_contracts
from gateway_contracts import dataschema_for
from gateway_contracts.spec.catalog import MESSAGES, is_command
from gateway_contracts.spec.examples import load_examples
from tests.contracts.support import validator

FOLDER = Path(gateway_contracts.__file__).parent / "schemas"
SCHEMAS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text("utf-8")) for file in FOLDER.glob("*.json")
}


def each_type() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("message_type", list(MESSAGES))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from nodes(child)


def test_there_is_one_for_each_message() -> None:
    assert set(SCHEMAS) == set(MESSAGES)


@each_type()
def test_is_a_schema_of_its_own(message_type: str) -> None:
    schema = SCHEMAS[message_type]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:gateway-contracts:v1:{message_type}"
    references = [node["$ref"] for node in nodes(schema) if "$ref" in node]
    assert all(reference.startswith("#/$defs/") for reference in references)
    resolver = (
        Registry()
        .with_resource(schema["$id"], Resource.from_contents(schema))
        .resolver(schema["$id"])
    )
    for reference in references:
        assert resolver.lookup(reference).contents


@each_type()
def test_every_message_and_part_is_described(message_type: str) -> None:
    schema = SCHEMAS[message_type]
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"]


@each_type()
def test_requires_what_is_always_on_the_wire(message_type: str) -> None:
    required = {"specversion", "id", "source", "type", "subject"}
    if not is_command(MESSAGES[message_type]):
        required |= {"time", "datacontenttype", "data"}
    assert required <= set(SCHEMAS[message_type]["required"])
    assert SCHEMAS[message_type]["properties"]["type"]["const"] == message_type


@each_type()
def test_unknown_fields_are_allowed(message_type: str) -> None:
    for node in nodes(SCHEMAS[message_type]):
        assert node.get("additionalProperties") is not False


@each_type()
def test_unions_are_told_apart_by_a_required_tag(message_type: str) -> None:
    schema = SCHEMAS[message_type]
    for node in nodes(schema):
        assert "discriminator" not in node
        members = [
            schema["$defs"][member["$ref"].rsplit("/", 1)[1]] for member in node.get("oneOf", ())
        ]
        tags = [
            {name for name in member["required"] if "const" in member["properties"][name]}
            for member in members
        ]
        assert not members or set.intersection(*tags)


@each_type()
def test_dataschema_is_the_schema_of_the_data(message_type: str) -> None:
    registry = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
    )
    wanted = dataschema_for(message_type)
    assert registry.resolver().lookup(wanted).contents
    fits = Draft202012Validator({"$ref": wanted}, registry=registry)
    for example in load_examples(message_type):
        assert fits.is_valid(example.payload["data"])
    assert not fits.is_valid([])


def test_missing_attributes_are_faults() -> None:
    for example in load_examples():
        validates = validator(SCHEMAS[example.type])
        for name in ("specversion", "id", "source", "type", "subject"):
            broken = {key: value for key, value in example.payload.items() if key != name}
            assert not validates.is_valid(broken), f"{example.name} without {name}"
