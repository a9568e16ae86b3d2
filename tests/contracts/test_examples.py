"""The golden payloads: each fits its schema and its model, and survives a round trip unchanged."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

import gateway_contracts
from gateway_contracts import dataschema_for, encode, parse_known_event
from gateway_contracts.spec.catalog import MESSAGES, is_command
from gateway_contracts.spec.examples import Example, load_examples
from tests.contracts.support import body, message_validator, parse

EXAMPLES = load_examples()
FILES = Path(gateway_contracts.__file__).parent / "examples"
LONG_NUMBERS = re.compile(r"(?<![0-9a-zA-Z/+=.-])\+?(\d{11,15})(?![0-9a-zA-Z/+=-]|@lid)")


def each_example() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


def test_every_message_has_a_plain_example() -> None:
    assert {example.type for example in EXAMPLES if not example.variant} == set(MESSAGES)
    assert {f"{example.name}.json" for example in EXAMPLES} == {
        file.name for file in FILES.iterdir()
    }


@each_example()
def test_fits_its_schema(example: Example) -> None:
    validates = message_validator(example.type)
    assert [fault.message for fault in validates.iter_errors(example.payload)] == []


@each_example()
def test_is_its_model_and_says_all_that_the_model_says(example: Example) -> None:
    message = parse(example)
    assert type(message) is MESSAGES[example.type]
    written = encode(message)
    assert json.loads(written) == example.payload
    assert list(json.loads(written)) == list(example.payload), "attributes in the written order"
    assert encode(parse(Example(type=example.type, variant="", payload=json.loads(written)))) == (
        written
    )


@each_example()
def test_holds_no_field_that_the_model_does_not_know(example: Example) -> None:
    strict = TypeAdapter(MESSAGES[example.type])
    strict.validate_json(body(example.payload), strict=True, extra="forbid")
    misspelt = {**example.payload, "data": {**example.payload["data"], "colour": "blue"}}
    with pytest.raises(ValidationError, match="extra_forbidden"):
        strict.validate_json(body(misspelt), strict=True, extra="forbid")


@each_example()
def test_a_reader_ignores_what_a_newer_writer_adds(example: Example) -> None:
    newer = {**example.payload, "colour": "blue", "data": {**example.payload["data"], "weight": 1}}
    newer_example = Example(type=example.type, variant="", payload=newer)
    assert encode(parse(newer_example)) == encode(parse(example))
    assert message_validator(example.type).is_valid(newer)


@each_example()
def test_envelope_is_filled_in_as_promised(example: Example) -> None:
    payload = example.payload
    assert payload["dataschema"] == dataschema_for(example.type)
    command = is_command(MESSAGES[example.type])
    assert payload["source"].startswith("/backends/" if command else "/workers/")
    if example.type.startswith("wa.command."):
        assert payload["correlationid"]


@each_example()
def test_phone_numbers_are_fictional(example: Example) -> None:
    numbers = LONG_NUMBERS.findall(json.dumps(example.payload))
    assert [number for number in numbers if not number.startswith("1555")] == []


def test_ids_are_unique() -> None:
    ids = [example.payload["id"] for example in EXAMPLES]
    assert len(set(ids)) == len(ids)


def test_a_reader_can_pass_over_types_of_later_versions() -> None:
    status = load_examples("wa.session.status.v1")[0].payload
    assert parse_known_event(body(status)) is not None
    assert parse_known_event(body({**status, "type": "wa.session.mood.v1"})) is None
    bodies: list[object] = [{**status, "data": {}}, {**status, "type": 1}, {**status, "type": "x"}]
    for broken in (*bodies, {}, []):
        with pytest.raises(ValidationError):
            parse_known_event(body(broken))
