"""JSON has one kind of number: what some languages write as 42.0 is 42, to schema and gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, BeforeValidator

from gateway_contracts import Command, parse_command
from gateway_contracts.model import whole
from gateway_contracts.spec.catalog import MESSAGES, is_command
from gateway_contracts.spec.examples import Example, load_examples
from tests.contracts.support import message_validator

COMMANDS = [one for one in load_examples() if is_command(MESSAGES[one.type])]


def strict_in(annotation: Any, marks: tuple[Any, ...], seen: set[type]) -> Iterator[str]:
    """Yield the fields below a type that take a whole number in one spelling only."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from strict_in(arguments[0], (*marks, *arguments[1:]), seen)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from strict_of(annotation, seen)
    elif annotation is int or (origin is Literal and any(type(one) is int for one in arguments)):
        if not any(isinstance(one, BeforeValidator) and one.func is whole for one in marks):
            yield ""
    elif origin is not Literal:
        kept = marks if origin in {Union, UnionType} else ()
        for argument in arguments:
            yield from strict_in(argument, kept, seen)


def strict_of(model: type[BaseModel], seen: set[type]) -> Iterator[str]:
    """Yield those of a model, each once."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        for found in strict_in(field.annotation, tuple(field.metadata), seen):
            yield found or f"{model.__name__}.{name}"


def test_every_whole_number_of_a_command_may_be_written_so() -> None:
    """A field that lacks it refuses what the schema takes."""
    assert list(strict_in(Command, (), set())) == []


def as_reals(value: Any) -> Any:
    """Return a value with its whole numbers written as others."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case dict():
            return {name: as_reals(inner) for name, inner in value.items()}
        case list():
            return [as_reals(inner) for inner in value]
    return value


@pytest.mark.parametrize("example", COMMANDS, ids=lambda one: one.name)
def test_both_read_the_same(example: Example) -> None:
    """Every example, written so."""
    payload = as_reals(example.payload)

    assert [fault.message for fault in message_validator(example.type).iter_errors(payload)] == []
    assert parse_command(json.dumps(payload).encode()) == parse_command(
        json.dumps(example.payload).encode()
    )
