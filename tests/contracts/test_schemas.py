"""The JSON Schemas: valid, where `dataschema` says they are, and saying all that the models say."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from gateway_contracts import dataschema_for
from gateway_contracts.codec import REQUIRED_ATTRIBUTES
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from gateway_contracts.envelope import DATASCHEMA_BASE, Envelope
from gateway_contracts.spec.catalog import MESSAGES, is_command
from gateway_contracts.spec.examples import load_examples
from tests.contracts.damage import damaged
from tests.contracts.support import (
    DOCUMENTS,
    FORMATS,
    PACKAGE,
    REGISTRY,
    SchemaValidator,
    described,
    message_validator,
    nodes,
    references,
    validator,
)

EXAMPLES = [example.payload for example in load_examples()]
SHARED = ("common.json", "content.json")
RULES = {
    *("pattern", "format", "enum", "const", "properties", "required", "propertyNames"),
    *("minLength", "maxLength", "minimum", "maximum", "maxItems", "maxProperties"),
}


def each_type() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("message_type", list(MESSAGES))


def each_document() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", list(DOCUMENTS))


def test_there_is_one_for_each_message_and_two_for_what_they_share() -> None:
    assert set(DOCUMENTS) == {*SHARED, *(f"{message_type}.json" for message_type in MESSAGES)}


@each_document()
def test_is_a_schema_named_after_its_file(name: str) -> None:
    document = DOCUMENTS[name]
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == name


@each_document()
def test_refers_to_itself_and_to_what_is_shared_only(name: str) -> None:
    files = {
        "common.json": set[str](),
        "content.json": {"common.json"},
    }.get(name, set(SHARED))
    for reference in references(DOCUMENTS[name]):
        file, _, place = reference.partition("#")
        assert file in {"", *files}
        assert place.startswith("/$defs/")
        assert REGISTRY.resolver(name).lookup(reference).contents


def test_no_part_stands_twice_and_none_is_left_over() -> None:
    parts = [part for document in DOCUMENTS.values() for part in document.get("$defs", ())]
    assert len(parts) == len(set(parts))
    assert set(parts) == {
        reference.rpartition("/")[2]
        for document in DOCUMENTS.values()
        for reference in references(document)
    }


@each_document()
def test_every_message_and_part_is_described(name: str) -> None:
    document = DOCUMENTS[name]
    for part in (document, *document.get("$defs", {}).values()):
        assert part["description"]


@each_type()
def test_requires_what_is_always_on_the_wire(message_type: str) -> None:
    schema = DOCUMENTS[f"{message_type}.json"]
    required = {"specversion", "id", "source", "type", "subject"}
    if not is_command(MESSAGES[message_type]):
        required |= {"time", "datacontenttype", "data"}
    assert required <= set(schema["required"])
    assert schema["properties"]["type"]["const"] == message_type


@each_document()
def test_unknown_fields_are_allowed(name: str) -> None:
    for node in nodes(DOCUMENTS[name]):
        assert node.get("additionalProperties") is not False
        assert "unevaluatedProperties" not in node


def _members(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members of a union; which of some fields is to be given is no union."""
    return [one for one in node.get("oneOf", ()) if "required" not in one]


@each_document()
def test_unions_are_told_apart_by_a_required_tag(name: str) -> None:
    resolver = REGISTRY.resolver(name)
    for node in nodes(DOCUMENTS[name]):
        assert "discriminator" not in node
        members = [resolver.lookup(one["$ref"]).contents for one in _members(node)]
        tags = [
            {tag for tag in member["required"] if "const" in member["properties"][tag]}
            for member in members
        ]
        assert not members or set.intersection(*tags)


@each_type()
def test_dataschema_is_the_schema_of_the_data(message_type: str) -> None:
    wanted = dataschema_for(message_type)
    assert wanted == f"{DATASCHEMA_BASE}{message_type}#/properties/data"
    in_file = wanted.removeprefix(DATASCHEMA_BASE).replace("#", ".json#")
    assert REGISTRY.resolver().lookup(in_file).contents
    fits = Draft202012Validator({"$ref": in_file}, registry=REGISTRY)
    for example in load_examples(message_type):
        assert fits.is_valid(example.payload["data"])
    assert not fits.is_valid([])


def test_missing_attributes_are_faults() -> None:
    for example in load_examples():
        validates = message_validator(example.type)
        for name in ("specversion", "id", "source", "type", "subject"):
            broken = {key: value for key, value in example.payload.items() if key != name}
            assert not validates.is_valid(broken), f"{example.name} without {name}"


def in_one_piece(model: type[Envelope]) -> dict[str, Any]:
    """Return a message's schema as pydantic makes it, with what the wire requires beside it."""
    schema = model.model_json_schema()
    required = set(REQUIRED_ATTRIBUTES)
    if not is_command(model):
        required |= {"time", "datacontenttype"}
    schema["required"] = sorted({*schema["required"], *required})
    for node in list(nodes(schema)):
        for reference in node.get("discriminator", {}).get("mapping", {}).values():
            member = schema["$defs"][reference.rpartition("/")[2]]
            tag = node["discriminator"]["propertyName"]
            member["required"] = sorted({*member.get("required", ()), tag})
    for kind in {*SENDABLE_KINDS.values(), *ARRIVING_KINDS.values()}:  # also where it stands alone
        if (member := schema.get("$defs", {}).get(kind.__name__)) is not None:
            member["required"] = sorted({*member.get("required", ()), "kind"})
    return schema


IN_ONE_PIECE = {name: validator(in_one_piece(model)) for name, model in MESSAGES.items()}
BY_REFERENCE = {name: message_validator(name) for name in MESSAGES}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=400)
@given(damaged(EXAMPLES))
def test_documents_that_refer_take_what_the_models_in_one_piece_take(
    payload: dict[str, Any],
) -> None:
    message_type = payload.get("type")
    if isinstance(message_type, str) and message_type in MESSAGES:
        taken = BY_REFERENCE[message_type].is_valid(payload)
        assert taken == IN_ONE_PIECE[message_type].is_valid(payload)


def rules(documents: Any) -> set[str]:
    """Return what schemas ask for, without where they ask for it."""
    return {
        f"{keyword} {value}"
        for node in nodes(documents)
        for keyword in RULES & node.keys()
        for value in (node[keyword] if isinstance(node[keyword], dict | list) else [node[keyword]])
    }


@each_type()
def test_documents_that_refer_have_the_rules_of_the_models(message_type: str) -> None:
    """Also those that a random payload may not hit: patterns, bounds, formats, names of fields."""
    assert rules(described(message_type)) == rules(in_one_piece(MESSAGES[message_type]))


@each_type()
def test_tools_that_follow_files_read_them_alike(message_type: str) -> None:
    """Registered under their addresses, and without `$id`, as code generators and editors do."""
    folder = (PACKAGE / "schemas").as_uri()
    anonymous = copy.deepcopy(DOCUMENTS)
    for document in anonymous.values():
        del document["$id"]
    for documents in (DOCUMENTS, anonymous):
        registry: Registry[Any] = Registry().with_resources(
            (f"{folder}/{name}", Resource.from_contents(document))
            for name, document in documents.items()
        )
        validates = SchemaValidator(
            {"$ref": f"{folder}/{message_type}.json"}, registry=registry, format_checker=FORMATS
        )
        for example in load_examples(message_type):
            assert validates.is_valid(example.payload)
            assert not validates.is_valid({**example.payload, "source": 1})
            assert not validates.is_valid({**example.payload, "data": []})
