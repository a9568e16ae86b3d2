"""What the contract marks as personal is never in the log, by its name alone."""

import inspect
import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway_contracts.marks import PERSONAL
from gateway_contracts.spec.catalog import MESSAGES
from gateway_contracts.spec.examples import Example, load_examples
from gateway_contracts.spec.schemas import schema_documents
from gateway_worker.log.redaction import PERSONAL_FIELDS, redact
from tests.contracts.support import nodes, parse


def is_personal(field: FieldInfo) -> bool:
    """Tell whether a field, or the items of what it holds, is marked."""
    return PERSONAL in field.metadata or any(map(marked, get_args(field.annotation)))


def marked(annotation: Any) -> bool:
    metadata = getattr(annotation, "__metadata__", ())
    return PERSONAL in metadata or any(map(marked, get_args(annotation)))


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for argument in get_args(annotation):
        yield from models(argument)


NAMES = sorted(
    {
        name
        for message in MESSAGES.values()
        for model in models(message)
        for name, field in model.model_fields.items()
        if is_personal(field)
    }
)


def test_people_and_what_they_write_are_marked() -> None:
    ids = {"chat", "jid", "lid", "participant", "phone_number", "sender", "to"}
    assert set(NAMES) >= {*ids, "labels", "mentions", "push_name", "text"}


def test_the_log_knows_each_marked_field() -> None:
    assert set(NAMES) <= PERSONAL_FIELDS


@given(st.sampled_from(NAMES), st.text(alphabet="äöüß", min_size=1))
def test_the_log_has_no_value_of_a_marked_field(name: str, value: str) -> None:
    held = [value, {"kind": value}]
    for written in (redact({name: value}), redact({name: held}), redact({"data": {name: value}})):
        assert value not in json.dumps(written, ensure_ascii=False)


def told_by(message: BaseModel) -> Iterator[str]:
    """Yield the personal texts of a message."""
    for name, value in message:
        for held in value if isinstance(value, tuple) else (value,):
            if isinstance(held, BaseModel):
                yield from told_by(held)
            elif is_personal(type(message).model_fields[name]) and held:
                yield from held.values() if isinstance(held, dict) else (held,)


@pytest.mark.parametrize("example", load_examples(), ids=lambda example: str(example.name))
def test_an_example_that_is_logged_says_nothing_of_a_person(example: Example) -> None:
    written = json.dumps(redact(example.payload), ensure_ascii=False)
    for text in told_by(parse(example)):
        assert json.dumps(text, ensure_ascii=False) not in written


def test_the_examples_tell_of_persons_in_every_marked_field() -> None:
    told = {text for example in load_examples() for text in told_by(parse(example))}
    assert len(told) > len(NAMES)


def named_in_schemas() -> Iterator[str]:
    documents = schema_documents()
    parts = {
        name: part for one in documents.values() for name, part in one.get("$defs", {}).items()
    }

    def personal(schema: Any) -> bool:
        within = [*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")]
        within += schema.get("patternProperties", {}).values()
        if (
            "$ref" in schema
            and "properties" not in parts[part := schema["$ref"].rpartition("/")[2]]
        ):
            within.append(parts[part])
        return schema.get("x-personal") is True or any(
            personal(inner) for inner in within if isinstance(inner, dict)
        )

    for node in nodes([*documents.values()]):
        for name, schema in node.get("properties", {}).items():
            if personal(schema):
                yield name


def test_the_schemas_mark_the_same_fields() -> None:
    assert sorted(set(named_in_schemas())) == NAMES
