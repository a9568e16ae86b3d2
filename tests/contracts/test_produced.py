"""The contract names nothing that the gateway never says: words of its events, and their fields."""

import ast
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel

import gateway_contracts
import gateway_worker
from gateway_contracts import ErrorCode, SessionSettings
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.errors import ErrorCategory
from gateway_contracts.spec.catalog import EVENTS
from gateway_worker import errors

WORKER = Path(gateway_worker.__file__).parent
CONTRACTS = Path(gateway_contracts.__file__).parent
NOT_THE_GATEWAY = {"devkit", "sandbox", "ctl"}
"""They stand for backends, WhatsApp and operators."""
WRITTEN_AT_THE_COMMIT = {"dataschema", "session_metadata", "chat_id"}
"""Added to an event's text when it gets its sequence."""


REFUSALS = {ErrorCode.INVALID_COMMAND, ErrorCode.UNAUTHORIZED}
"""Of what is no command, or none of its sender's: said of what was not executed at all."""
DERIVED = {ErrorCategory}
"""What follows from something else that is named."""


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the gateway's own modules."""
    for path in sorted(WORKER.rglob("*.py")):
        if path.relative_to(WORKER).parts[0] not in NOT_THE_GATEWAY:
            yield path, ast.parse(path.read_text())


def models(annotation: object) -> Iterator[type]:
    """Yield the models and enumerations that a field's annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | Enum):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models(argument)


def within(*roots: type) -> set[type]:
    """Return every model and enumeration that is part of an event."""
    found: set[type] = set()
    waiting = list(roots)
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            fields = model.model_fields if issubclass(model, BaseModel) else {}
            for field in fields.values():
                waiting += models(field.annotation)
    return found


GIVEN_BACK = within(SessionSettings)
"""What backends set comes back as they have given it."""
SAID = within(*EVENTS.values()) - GIVEN_BACK
ENUMERATIONS = sorted(
    (one for one in SAID - DERIVED if issubclass(one, Enum)), key=lambda one: one.__name__
)
MODELS = sorted((one for one in SAID if issubclass(one, BaseModel)), key=lambda one: one.__name__)


@pytest.fixture(scope="module")
def named() -> set[str]:
    """Return the members of enumerations that the gateway names, as `Class.MEMBER`."""
    return {
        f"{node.value.id}.{node.attr}"
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


@pytest.fixture(scope="module")
def spoken() -> set[object]:
    """Return the plain words in the code of the hosts, which do not load the contract."""
    return {
        node.value
        for path, tree in sources()
        if path.relative_to(WORKER).parts[0] == "whatsapp"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
    }


@pytest.fixture(scope="module")
def raised() -> set[str]:
    """Return the classes of errors that the gateway makes, or names in a table of errors."""
    found: set[str] = set()
    for path, tree in sources():
        if path == WORKER / "errors.py":
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name)) | ast.Raise(exc=ast.Name(id=name)):
                    found.add(name)
                case ast.Dict():
                    found |= {value.id for value in node.values if isinstance(value, ast.Name)}
    return found


@pytest.fixture(scope="module")
def filled() -> set[str]:
    """Return the fields that somebody sets by name, in a call or in a dictionary."""
    trees = [tree for _, tree in sources()]
    trees += [ast.parse(path.read_text()) for path in CONTRACTS.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    arguments = {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
    keys = [key for node in nodes if isinstance(node, ast.Dict) for key in node.keys]
    given_back = set(SessionSettings.model_fields)
    return (
        arguments | given_back | {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    )


@pytest.mark.parametrize("enumeration", ENUMERATIONS, ids=lambda one: one.__name__)
def test_every_word_is_said(enumeration: type[Enum], named: set[str], spoken: set[object]) -> None:
    """What no code names no backend will ever see."""
    unsaid = [
        member.name
        for member in enumeration
        if f"{enumeration.__name__}.{member.name}" not in named and member.value not in spoken
    ]
    assert unsaid == []


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_is_that_of_an_error_that_is_raised(
    code: ErrorCode, raised: set[str], spoken: set[object]
) -> None:
    """Or a backend waits for what never comes."""
    made = [
        error
        for name, error in vars(errors).items()
        if name in raised and issubclass(error, errors.GatewayError)
    ]
    assert code in {error.code for error in made} | REFUSALS or code.value in spoken


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.__name__)
def test_every_optional_field_is_filled(model: type[BaseModel], filled: set[str]) -> None:
    """By somebody, sometimes; what is required is."""
    empty = {
        name
        for name, field in model.model_fields.items()
        if not field.is_required() and field.get_default() is None and name not in filled
    }
    assert empty <= WRITTEN_AT_THE_COMMIT


def test_a_command_has_no_attribute_that_nobody_reads() -> None:
    """Beyond CloudEvents' own: deadline, time to run, trace, customer and consequence."""
    own = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype"}
    extensions = {"dataschema", "expirytime", "traceparent", "tenantid", "correlationid"}
    extensions |= {"maxruntimems"}
    assert set(CommandEnvelope.model_fields) == own | extensions
