"""From operations to routes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway_worker.sandbox.control import abilities
from gateway_worker.sandbox.control.exchange import done, phone_of, query, read, reply, sandbox_of
from gateway_worker.sandbox.control.operation import BODY, QUERY, Operation
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.typedefs import Handler


@cache
def operations() -> tuple[Operation, ...]:
    """Return what the modules of `abilities` list, by module and in their order.

    Raises:
        ValueError: two have one name or one route.
    """
    found = tuple(_listed())
    for what in ("name", "route"):
        values = [getattr(one, what) for one in found]
        if len(set(values)) < len(values):
            raise ValueError(f"two operations have the same {what}")
    return found


def routes() -> list[web.RouteDef]:
    """Return a route for every operation."""
    return [web.route(one.method, _pattern(one), _handler(one)) for one in operations()]


def _listed() -> Iterator[Operation]:
    for module in pkgutil.iter_modules(abilities.__path__):
        yield from importlib.import_module(f"{abilities.__name__}.{module.name}").OPERATIONS


def _pattern(operation: Operation) -> str:
    path = operation.path
    for name, kind in operation.takes.items():
        if kind is int:
            path = path.replace("{" + name + "}", "{" + name + r":\d+}")
    return path


def _handler(operation: Operation) -> Handler:
    takes = operation.takes

    async def handle(request: web.Request) -> web.StreamResponse:
        given = {name: await _argument(request, name, kind) for name, kind in takes.items()}
        answer = operation.run(**given)
        if inspect.isawaitable(answer):
            answer = await answer
        return done() if answer is None else reply(answer, operation.status)

    return handle


async def _argument(request: web.Request, name: str, kind: Any) -> Any:
    if kind is Sandbox:
        return sandbox_of(request)
    if kind is Phone:
        return phone_of(request)
    if name == BODY:
        return await read(request, kind)
    if name == QUERY:
        return query(request, kind)
    return kind(request.match_info[name])
