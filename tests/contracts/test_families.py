"""The families: what stands in a module is in its union, and every model stands in an example."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from gateway_contracts import commands, content, events
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from gateway_contracts.envelope import SessionEventData
from gateway_contracts.spec.catalog import COMMANDS, EVENTS, MESSAGES
from gateway_contracts.spec.examples import Example, load_examples
from gateway_contracts.unions import members
from tests.contracts.support import parse

KINDS = [*SENDABLE_KINDS.values(), *ARRIVING_KINDS.values()]


def families(package: ModuleType) -> list[ModuleType]:
    return [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]


def tagged(package: ModuleType, tag: str) -> set[type[BaseModel]]:
    """Return the models of a package's modules that carry a tag of their own."""
    return {
        model
        for module in families(package)
        for model in vars(module).values()
        if inspect.isclass(model)
        and issubclass(model, BaseModel)
        and model.__module__ == module.__name__
        and tag in model.__annotations__
    }


@pytest.mark.parametrize(
    ("package", "tag", "registered"),
    [
        (commands, "type", [*COMMANDS.values()]),
        (events, "type", [*EVENTS.values()]),
        (content, "kind", KINDS),
        (commands, "kind", [*members(commands.Result, "kind").values()]),
    ],
    ids=["commands", "events", "content", "results"],
)
def test_a_union_has_all_models_of_its_families(
    package: ModuleType, tag: str, registered: list[type[BaseModel]]
) -> None:
    assert tagged(package, tag) == set(registered)


@pytest.mark.parametrize(
    ("package", "registered"),
    [
        (commands, [*COMMANDS.values(), *members(commands.Result, "kind").values()]),
        (events, [*EVENTS.values()]),
        (content, KINDS),
    ],
    ids=["commands", "events", "content"],
)
def test_a_family_is_in_a_union(package: ModuleType, registered: list[type[BaseModel]]) -> None:
    """Of commands it may be that of what some return, or return what others do."""
    assert {model.__module__ for model in registered} == {
        module.__name__ for module in families(package)
    }


@pytest.mark.parametrize("module", families(content), ids=lambda module: str(module.__name__))
def test_a_kind_is_a_module_of_its_own(module: ModuleType) -> None:
    kinds = {
        kind
        for of in (SENDABLE_KINDS, ARRIVING_KINDS)
        for kind, model in of.items()
        if model.__module__ == module.__name__
    }
    assert kinds == {module.__name__.rpartition(".")[2]}


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of, and those of their fields."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_of(field.annotation)
    for argument in get_args(annotation):
        yield from models_of(argument)


def models_in(value: Any) -> Iterator[type[BaseModel]]:
    """Yield the models of a value and of what it holds."""
    if isinstance(value, BaseModel):
        yield type(value)
        for _, held in value:
            yield from models_in(held)
    elif isinstance(value, tuple):
        for held in value:
            yield from models_in(held)


def without_example(examples: Iterable[Example]) -> set[type[BaseModel]]:
    described = {model for message in MESSAGES.values() for model in models_of(message)}
    return described - {model for example in examples for model in models_in(parse(example))}


def test_every_model_stands_in_an_example() -> None:
    assert without_example(load_examples()) == set()


def test_the_data_of_a_sessions_events_carry_its_metadata() -> None:
    """It is added at the commit, at the end of `data`, which is what an event ends with."""
    for model in members(events.SessionEvent, "type").values():
        *_, last = model.model_fields
        assert last == "data"
        data = model.model_fields["data"].annotation
        assert inspect.isclass(data)
        assert issubclass(data, SessionEventData)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_a_kind_without_an_example_is_found(kind: type[BaseModel]) -> None:
    others = [example for example in load_examples() if kind not in set(models_in(parse(example)))]
    assert kind in without_example(others)
