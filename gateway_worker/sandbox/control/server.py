"""The control API's listener: loopback only, a bearer token where one is set."""

from __future__ import annotations

import hmac
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway_worker.sandbox.control import problems
from gateway_worker.sandbox.control.exchange import SANDBOX
from gateway_worker.sandbox.control.routing import routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler, Middleware

    from gateway_worker.sandbox.sandbox import Sandbox

HOST: Final = "127.0.0.1"
MAX_BODY_BYTES: Final = 64 << 20
"""A larger file is sent by its path."""
_NAMES: Final = frozenset({HOST, "localhost", "[::1]"})


@asynccontextmanager
async def serve(sandbox: Sandbox, *, port: int = 0, token: str | None = None) -> AsyncIterator[str]:
    """Serve the control API while the block runs.

    Args:
        sandbox: what is controlled.
        port: 0 picks a free one.
        token: what `Authorization: Bearer` must hold; None lets everyone on this machine in.

    Yields:
        The base URL, without a slash at its end.

    Raises:
        OSError: the port is taken.
    """
    runner = web.AppRunner(application(sandbox, token=token), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        host, chosen = runner.addresses[0][:2]
        yield f"http://{host}:{chosen}"
    finally:
        await runner.cleanup()


def application(sandbox: Sandbox, *, token: str | None = None) -> web.Application:
    """Build the application without a listener."""
    app = web.Application(
        client_max_size=MAX_BODY_BYTES, middlewares=[_guard(token), problems.answer_problems]
    )
    app[SANDBOX] = sandbox
    app.add_routes(routes())
    return app


def _guard(token: str | None) -> Middleware:
    """Keep out other hosts' names (a page in a browser) and callers without the token."""
    expected = None if token is None else f"Bearer {token}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (request.host or "").rpartition(":")[0] not in _NAMES:
            return problems.misdirected()
        given = request.headers.get("Authorization", "").encode()
        if expected is not None and not hmac.compare_digest(given, expected):
            return problems.unauthorized()
        return await handler(request)

    return guard
