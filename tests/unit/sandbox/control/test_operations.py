"""Routes and the client's methods follow from the operations."""

from __future__ import annotations

import inspect

import pytest

from gateway_worker.sandbox.control import generate
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.operation import BODY, QUERY, Operation
from gateway_worker.sandbox.control.routing import operations
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox


def test_the_clients_methods_are_as_generated() -> None:
    """Run `python -m gateway_worker.sandbox.control.generate` after a change to an ability."""
    assert generate.FILE.read_text() == generate.source()


@pytest.mark.parametrize("operation", operations(), ids=lambda one: one.name)
def test_an_operation_takes_what_its_route_has(operation: Operation) -> None:
    """A phone for its number, all else that the path names, a body only where one is sent."""
    takes = dict(operation.takes)
    has_body = takes.pop(BODY, None) is not None
    takes.pop(QUERY, None)
    places = {name for name, kind in takes.items() if kind not in (Phone, Sandbox)}

    assert {*places, *(["number"] if Phone in takes.values() else [])} == set(operation.in_path)
    assert not has_body or operation.method in ("POST", "PUT", "PATCH")
    assert operation.status in (200, 201)
    assert inspect.getdoc(operation.run)
    assert callable(getattr(SandboxClient, operation.name))
