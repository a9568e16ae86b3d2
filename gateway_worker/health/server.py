"""The HTTP side of the sidecar: four addresses, small JSON, nothing that changes anything."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

PATHS: Final = ("/live", "/ready", "/health", "/metrics")

Answer = Mapping[str, Any]


class Endpoints:
    """Answers requests.

    Args:
        live: Whether the event loop turns: `live` and more.
        ready: Whether the worker can be counted on: `ready` and more.
        health: Everything there is to know; may take as long as the event loop takes for a turn.
        metrics: The figures in Prometheus' text format, with their content type.
    """

    def __init__(
        self,
        *,
        live: Callable[[], Answer],
        ready: Callable[[], Answer],
        health: Callable[[], Awaitable[Answer]],
        metrics: Callable[[], Awaitable[tuple[bytes, str]]],
    ) -> None:
        self._live = live
        self._ready = ready
        self._health = health
        self._metrics = metrics

    def application(self) -> web.Application:
        """Return the application that serves them."""
        application = web.Application(middlewares=[_errors_as_json])
        application.router.add_get("/live", self.live)
        application.router.add_get("/ready", self.ready)
        application.router.add_get("/health", self.health)
        application.router.add_get("/metrics", self.metrics)
        application.on_response_prepare.append(_set_headers)
        return application

    async def live(self, _request: web.Request) -> web.Response:
        """200 while the event loop turns, else 503: the process should be replaced."""
        answer = self._live()
        return _json(answer, HTTPStatus.OK if answer["live"] else HTTPStatus.SERVICE_UNAVAILABLE)

    async def ready(self, _request: web.Request) -> web.Response:
        """200 while the worker runs and can use what it needs, else 503 with the reasons."""
        answer = self._ready()
        return _json(answer, HTTPStatus.OK if answer["ready"] else HTTPStatus.SERVICE_UNAVAILABLE)

    async def health(self, _request: web.Request) -> web.Response:
        """Everything there is to know, for people and dashboards; 200 whatever it says."""
        return _json(await self._health(), HTTPStatus.OK)

    async def metrics(self, _request: web.Request) -> web.Response:
        """The figures in Prometheus' text format."""
        body, content_type = await self._metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})


def _json(answer: Answer, status: HTTPStatus) -> web.Response:
    return web.Response(
        body=orjson.dumps(answer), status=status.value, content_type="application/json"
    )


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        response = _json({"error": "method_not_allowed"}, HTTPStatus.METHOD_NOT_ALLOWED)
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return response
    except web.HTTPNotFound:
        return _json({"error": "not_found", "paths": PATHS}, HTTPStatus.NOT_FOUND)
    except web.HTTPException as error:
        return _json({"error": error.reason}, HTTPStatus(error.status))
    except Exception:  # the root of a request
        log.exception("health.request_failed", path=request.path)
        return _json({"error": "internal"}, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _set_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()  # a connection is for one request: none is kept for nothing
    response.headers["Cache-Control"] = "no-store"
    response.headers["Server"] = "gateway-worker"
