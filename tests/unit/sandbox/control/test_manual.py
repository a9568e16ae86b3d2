"""The manual of the control API, which is the package's docstring, is what the API does."""

import re
import types
import typing
from collections.abc import Mapping

import pytest
from pydantic import BaseModel

import gateway_worker.sandbox
from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.server import application

MANUAL = gateway_worker.sandbox.__doc__ or ""
SHAPES: Mapping[str, type[BaseModel]] = {
    "HEALTH": models.Health,
    "ENV": models.WorkerEnv,
    "PHONE": models.PhoneView,
    "COMPANION": models.CompanionView,
    "LINKED": models.Linked,
    "MESSAGE": models.MessageView,
    "MEDIA": models.MediaView,
    "DRAFT": models.NewMedia,
    "GROUP": models.GroupView,
    "CHANGE": models.GroupChange,
    "CONTENT": models.ContentView,
    "CALL": models.CallView,
    "RECEIPT": models.ReceiptView,
    "RULE": models.RuleView,
    "PROBLEM": models.Problem,
}


def described_routes() -> set[tuple[str, str]]:
    """Return methods and paths as the manual has them."""
    found = re.findall(r"^    (GET|POST|PUT|PATCH|DELETE) +(/[^ ?]+)", MANUAL, re.MULTILINE)
    return {(method, path) for method, path in found}


def served_routes() -> set[tuple[str, str]]:
    """Return them as the application has them, with the manual's names for what varies."""
    names = {
        "number": "N",
        "device": "D",
        "message_id": "ID",
        "rule_id": "ID",
        "call_id": "ID",
        "contact": "CONTACT",
        "group": "G",
        "channel": "CHANNEL",
    }
    served = set()
    for route in application(sandbox=None).router.routes():  # type: ignore[arg-type]
        path = route.resource.canonical if route.resource else ""
        for name, letter in names.items():
            path = path.replace("{" + name + "}", letter)
        served.add((route.method, path))
    return {(method, path) for method, path in served if method != "HEAD"}


def test_every_route_is_described() -> None:
    """And no other."""
    assert described_routes() == served_routes()


def can_be_null(model: type[BaseModel], field: str) -> bool:
    """Tell whether a field may have no value."""
    annotation = typing.get_type_hints(model)[field]
    return isinstance(annotation, types.UnionType) and type(None) in typing.get_args(annotation)


@pytest.mark.parametrize("name", SHAPES)
def test_every_answer_has_the_shape_that_is_described(name: str) -> None:
    """Field by field, with those that can be null marked."""
    model = SHAPES[name]
    found = re.search(rf"^    {name} +{{(.*?)}}$", MANUAL, re.MULTILINE | re.DOTALL)
    assert found is not None
    described = re.sub(r": \[.*?\](?=,|$)", "", found[1], flags=re.DOTALL)
    assert [field.strip() for field in described.split(",")] == [
        f"{field}{'?' if can_be_null(model, field) else ''}" for field in model.model_fields
    ]
