"""Small tools of the routes: bodies in, bodies out, and the sandbox that the application shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel

from gateway_worker.sandbox.control.problems import UnsupportedBodyError
from gateway_worker.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.phone import Phone

SANDBOX: Final = web.AppKey("sandbox", Sandbox)
BodyT = TypeVar("BodyT", bound=BaseModel)


def sandbox_of(request: web.Request) -> Sandbox:
    """Return the sandbox."""
    return request.app[SANDBOX]


def phone_of(request: web.Request) -> Phone:
    """Return the phone that the path names."""
    return sandbox_of(request).phone(request.match_info["number"])


async def read(request: web.Request, model: type[BodyT]) -> BodyT:
    """Read and check a body.

    Raises:
        UnsupportedBodyError: it is not announced as JSON.
        ValidationError: it is not what the model wants.
    """
    if request.content_type != "application/json":
        raise UnsupportedBodyError(f"not {request.content_type}")
    return model.model_validate_json(await request.read())


def query(request: web.Request, model: type[BodyT]) -> BodyT:
    """Read and check the query string.

    Raises:
        ValidationError: it is not what the model wants.
    """
    return model.model_validate(dict(request.query))


def reply(body: BaseModel, status: int = 200) -> web.Response:
    """Send a body."""
    return web.Response(
        status=status, body=body.model_dump_json().encode(), content_type="application/json"
    )


def done() -> web.Response:
    """Say that there is nothing to say."""
    return web.Response(status=204)
