"""The sidecar over real HTTP: answered whatever happens to the worker."""

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from gateway_worker.errors import ConfigurationError
from gateway_worker.health import CheckResult, HealthSettings, HealthSidecar, Lifecycle, Phase
from gateway_worker.metrics import Metrics, make_metrics
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.runtime.service import running
from tests.support.eventually import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def request(port: int, path: str, method: str = "GET") -> Response:
    """Ask once, blocking, over a connection of its own."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as got:
            return Response(status=got.status, headers=dict(got.headers), body=got.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(status=error.code, headers=dict(error.headers), body=error.read())


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A sidecar that answers."""

    sidecar: HealthSidecar
    lifecycle: Lifecycle
    metrics: Metrics

    async def get(self, path: str, method: str = "GET") -> Response:
        """Ask without blocking the worker's loop."""
        return await asyncio.to_thread(request, self.sidecar.port, path, method)

    async def until(self, path: str, status: int) -> Response:
        """Ask until the status is as wanted."""

        async def asked() -> Response | None:
            response = await self.get(path)
            return response if response.status == status else None

        answered = await eventually(asked, reason=f"{path} answers {status}")
        assert answered is not None
        return answered


def make(settings: HealthSettings) -> Served:
    """Make a sidecar that has not been started."""
    clock = SystemClock()
    metrics = make_metrics(versions={"worker": "1.2.3"})
    lifecycle = Lifecycle(clock=clock)
    sidecar = HealthSidecar(
        settings=settings, worker_id="w-0", metrics=metrics, lifecycle=lifecycle, clock=clock
    )
    return Served(sidecar=sidecar, lifecycle=lifecycle, metrics=metrics)


@asynccontextmanager
async def serving(**overrides: Any) -> AsyncIterator[Served]:
    """Serve on a free port for the time of a block."""
    settings = {
        "port": 0,
        "check_interval_seconds": 0.02,
        "check_timeout_seconds": 0.2,
        "stuck_seconds": 30.0,
        **overrides,
    }
    served = make(HealthSettings.model_validate(settings))
    served.sidecar.bind()
    stop = asyncio.Event()
    async with running(served.sidecar, worker_stop=stop, grace_seconds=10, name="health"):
        yield served
    assert not stop.is_set()


class TcpCheck:
    """Asks a TCP service for a greeting, like a real client does."""

    def __init__(self, port: int, *, name: str = "postgresql", required: bool = True) -> None:
        self.name = name
        self.required = required
        self._port = port

    async def check(self) -> CheckResult:
        """Connect and wait for one line."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            return CheckResult(ok=bool(await reader.readline()))
        finally:
            writer.close()


@asynccontextmanager
async def greeter() -> AsyncIterator[asyncio.Server]:
    """Serve greetings."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server


def port_of(server: asyncio.Server) -> int:
    """Return the port that a server got."""
    port: int = server.sockets[0].getsockname()[1]
    return port


async def test_a_worker_is_alive_before_it_is_ready() -> None:
    """While it starts, it is alive and says that it is not ready yet."""
    async with serving() as served:
        live, ready = await served.get("/live"), await served.get("/ready")

        assert (live.status, live.json["live"]) == (200, True)
        assert ready.status == 503
        assert ready.json["reasons"] == ["the worker is starting"]


async def test_ready_follows_the_dependencies() -> None:
    """Ready once all is there; not ready, with the reason, when a required one goes."""
    async with serving() as served:
        async with greeter() as server:
            served.sidecar.add_check(TcpCheck(port_of(server)))
            served.lifecycle.enter(Phase.RUNNING)
            ready = await served.until("/ready", 200)
        gone = await served.until("/ready", 503)

        assert ready.json["dependencies"]["postgresql"]["ok"] is True
        assert gone.json["dependencies"]["postgresql"]["ok"] is False
        assert gone.json["reasons"][0].startswith("postgresql: ConnectionRefusedError")


async def test_an_optional_dependency_does_not_count() -> None:
    """The cache or the object store may be away."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with serving() as served:
        served.sidecar.add_check(TcpCheck(port, name="redis", required=False))
        served.lifecycle.enter(Phase.RUNNING)
        ready = await served.until("/ready", 200)

        assert ready.json["dependencies"]["redis"]["ok"] is False


async def test_probes_are_answered_while_a_dependency_hangs() -> None:
    """A service that accepts connections and then says nothing does not delay any probe."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with serving() as served:
            served.sidecar.add_check(TcpCheck(silent.getsockname()[1]))
            served.lifecycle.enter(Phase.RUNNING)
            ready = await served.until("/ready", 503)
            while ready.json["reasons"] != ["postgresql: no answer in 0.2 s"]:
                ready = await served.get("/ready")

            assert (await served.get("/live")).status == 200


async def test_a_draining_worker_is_alive_and_not_ready() -> None:
    """Probes go on to the end, so that nobody kills a worker in the middle of its drain."""
    async with serving() as served:
        served.lifecycle.enter(Phase.RUNNING)
        await served.until("/ready", 200)
        served.lifecycle.enter(Phase.DRAINING)
        ready, live = await served.get("/ready"), await served.get("/live")

        assert (ready.status, ready.json["reasons"]) == (503, ["the worker is draining"])
        assert live.status == 200


async def test_a_stuck_loop_is_reported_from_outside_of_it() -> None:
    """While the worker's loop is blocked, /live says so and /health and /metrics are answered."""
    answers: dict[str, Response] = {}
    async with serving(stuck_seconds=0.2) as served:
        port = served.sidecar.port
        await served.until("/live", 200)

        def ask() -> None:
            while (response := request(port, "/live")).status == 200:
                pass
            answers["/live"] = response
            for path in ("/ready", "/health", "/metrics"):
                answers[path] = request(port, path)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()  # on the event loop: nothing of the worker turns meanwhile
        recovered = await served.until("/live", 200)

    assert answers["/live"].status == 503
    assert "has not taken a turn" in answers["/live"].json["reason"]
    assert answers["/ready"].status == 503
    assert "does not answer" in answers["/health"].json["error"]
    assert b"gateway_sessions" in answers["/metrics"].body
    assert recovered.json["live"] is True


async def test_health_tells_everything() -> None:
    """Worker, services, performance and whatever sections were added."""
    async with serving() as served:
        served.sidecar.add_section("sessions", lambda: {"held": 3})
        served.metrics.on_refresh(lambda: served.metrics.outbox_depth.set(7))
        health = await served.get("/health")

        assert health.status == 200
        assert health.json["worker"]["id"] == "w-0"
        assert health.json["worker"]["phase"] == "starting"
        assert health.json["sessions"] == {"held": 3}
        assert health.json["services"] == {}
        assert health.json["performance"]["outbox_depth"] == 7


async def test_a_broken_section_is_an_error_of_its_own() -> None:
    """It shows as 500 and does not end the sidecar."""
    async with serving() as served:
        served.sidecar.add_section("sessions", lambda: {"held": 1 // 0})
        broken, live = await served.get("/health"), await served.get("/live")

        assert (broken.status, broken.json) == (500, {"error": "internal"})
        assert live.status == 200


async def test_metrics_are_what_prometheus_reads() -> None:
    """The text parses, with fresh values and the right content type."""
    async with serving() as served:
        served.metrics.on_refresh(lambda: served.metrics.outbox_depth.set(7))
        response = await served.get("/metrics")

        families = {
            family.name: family for family in text_string_to_metric_families(response.body.decode())
        }
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert families["gateway_outbox_depth"].samples[0].value == 7


@pytest.mark.parametrize("path", ["/", "/live/", "/../etc/passwd", "/%00", "/metrics/x"])
async def test_other_paths_are_not_found(path: str) -> None:
    """With the paths that there are."""
    async with serving() as served:
        response = await served.get(path)

        assert response.status == 404
        assert response.json == {
            "error": "not_found",
            "paths": ["/live", "/ready", "/health", "/metrics"],
        }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    """Nothing here changes anything."""
    async with serving() as served:
        response = await served.get("/ready", method)

        assert response.status == 405
        assert response.json == {"error": "method_not_allowed"}
        assert response.headers["Allow"] == "GET, HEAD"


async def test_head_is_allowed() -> None:
    """Some load balancers ask so."""
    async with serving() as served:
        response = await served.get("/live", "HEAD")

        assert (response.status, response.body) == (200, b"")
        assert response.headers["Cache-Control"] == "no-store"


async def test_nonsense_does_not_hurt() -> None:
    """Bytes that are no HTTP get an answer or none, and the next request is served."""
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.sidecar.port)
        writer.write(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

        assert (await served.get("/live")).status == 200


def test_a_port_in_use_is_a_clear_error() -> None:
    """The variable and the port are named before anything else is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        served = make(HealthSettings(port=port))

        with pytest.raises(ConfigurationError, match=f"HEALTH_PORT: port {port} .* is taken"):
            served.sidecar.bind()


def test_an_address_of_another_machine_is_a_clear_error() -> None:
    """The variable is named."""
    with pytest.raises(ConfigurationError, match=r"HEALTH_HOST: 192\.0\.2\.1 is no address"):
        make(HealthSettings(host="192.0.2.1", port=0)).sidecar.bind()


@pytest.mark.parametrize("wrong", [{"host": "localhost"}, {"port": 70000}, {"stuck_seconds": 0}])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    """Names would have to be resolved; ports and times have bounds."""
    with pytest.raises(ValidationError):
        HealthSettings.model_validate(wrong)


async def test_the_port_is_free_again_afterwards() -> None:
    """A worker that is started again in the same place gets its port."""
    async with serving() as served:
        port = served.sidecar.port
        await served.get("/live")

    async with serving(port=port) as again:
        assert (await again.get("/live")).status == 200
