"""The health sidecar: answers over HTTP from a thread of its own, for as long as the worker lives.

On the worker's event loop run the checks and the watchdog's turns; on the sidecar's thread the
server, which reads what they have found. So `/live` can say that the loop is stuck, and neither it
nor `/ready` waits for a turn of that loop (a busy worker still slows both: they share the GIL).
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar

import structlog
from aiohttp import web

from gateway_worker.errors import ConfigurationError
from gateway_worker.health.checks import Check, Checks
from gateway_worker.health.lifecycle import Lifecycle
from gateway_worker.health.listener import Listener
from gateway_worker.health.performance import Performance
from gateway_worker.health.report import Readiness, Section
from gateway_worker.health.server import Endpoints
from gateway_worker.health.settings import HealthSettings
from gateway_worker.health.thread import LoopThread
from gateway_worker.health.watchdog import LoopWatchdog
from gateway_worker.metrics import Metrics
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.os_errors import explain
from gateway_worker.version import VERSION

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")

EVERYWHERE: Final = "::"
BACKLOG: Final = 64
_TURN_SECONDS: Final = 1.0


class HealthSidecar:
    """A service that is started before everything it tells about.

    Args:
        settings: Where to listen and how often to check.
        worker_id: Shown by `/health`.
        metrics: Served by `/metrics`.
        lifecycle: Whether the worker starts, runs or drains.
        clock: For intervals and the times shown.
    """

    def __init__(
        self,
        *,
        settings: HealthSettings,
        worker_id: str,
        metrics: Metrics,
        lifecycle: Lifecycle,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._checks = Checks(
            interval_seconds=settings.check_interval_seconds,
            timeout_seconds=settings.check_timeout_seconds,
            clock=clock,
            metrics=metrics,
        )
        self._readiness = Readiness(lifecycle=lifecycle, checks=self._checks)
        self._performance = Performance(metrics=metrics, clock=clock)
        self._watchdog = LoopWatchdog(
            stuck_seconds=settings.stuck_seconds,
            clock=clock,
            observe=metrics.loop_lag_seconds.observe,
        )
        self._sections: dict[str, Section] = {}
        self._socket: socket.socket | None = None
        self._worker_loop: asyncio.AbstractEventLoop | None = None

    @property
    def port(self) -> int:
        """The port that `bind` got."""
        assert self._socket is not None
        port: int = self._socket.getsockname()[1]
        return port

    def add_check(self, check: Check) -> None:
        """Ask a dependency from now on. Raises `ValueError` for a second check of one name."""
        self._checks.add(check)

    def add_section(self, name: str, section: Section) -> None:
        """Show a part of the worker in `/health`."""
        self._sections[name] = section

    def bind(self) -> None:
        """Take the port, so that a worker that cannot have it fails before anything else starts.

        Raises:
            ConfigurationError: The address is not this machine's, or the port is taken.
        """
        host, port = self._settings.host, self._settings.port
        try:
            self._socket = _listen(host, port)
        except OSError as error:
            raise ConfigurationError(_why_not(error, host, port)) from error

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Takes the port first unless `bind` has done so."""
        if self._socket is None:
            self.bind()
        self._worker_loop = asyncio.get_running_loop()
        server = LoopThread(main=self._serve, name="health")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._checks.run(stop), name="health:checks")
                tasks.create_task(self._watchdog.run(stop), name="health:watchdog")
                tasks.create_task(server.run(stop), name="health:server")
        finally:
            self._close_socket()

    async def _serve(self, stop: asyncio.Event) -> None:
        """Serve on the sidecar's thread until `stop` is set."""
        endpoints = Endpoints(
            live=self._live, ready=self._readiness.report, health=self._health, metrics=self._render
        )
        runner = web.AppRunner(endpoints.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        assert self._socket is not None
        assert runner.server is not None
        listener = Listener(sock=self._socket, protocol=runner.server)
        try:
            log.info("health.serving", host=self._settings.host, port=self.port)
            async with asyncio.TaskGroup() as tasks:
                sampling = tasks.create_task(self._performance.run(), name="health:performance")
                watching = tasks.create_task(self._report_stuck_loop(), name="health:stuck")
                listening = tasks.create_task(listener.run(), name="health:listener")
                await stop.wait()
                for task in (sampling, watching, listening):
                    task.cancel()
        finally:
            await runner.cleanup()

    async def _report_stuck_loop(self) -> None:
        """Log once, whenever the loop gets stuck, where it is stuck."""
        reported = False
        while True:
            if self._watchdog.is_stuck and not reported:
                seconds = round(self._watchdog.silent_seconds, 1)
                log.error("loop.stuck", silent_seconds=seconds, stack=self._watchdog.stack())
            reported = self._watchdog.is_stuck
            await asyncio.sleep(self._settings.stuck_seconds / 4)

    def _live(self) -> dict[str, Any]:
        live = not self._watchdog.is_stuck
        silent = self._watchdog.silent_seconds
        reason = None if live else f"the event loop has not taken a turn for {silent:.1f} s"
        return {
            "live": live,
            "reason": reason,
            "loop_lag_seconds": round(self._watchdog.lag_seconds, 4),
        }

    async def _health(self) -> dict[str, Any]:
        readiness = self._readiness.report()
        answer: dict[str, Any] = {
            "worker": {
                "id": self._worker_id,
                "version": VERSION,
                "phase": readiness["phase"],
                "phase_since": self._lifecycle.since.isoformat(timespec="seconds"),
                "started_at": self._lifecycle.started_at.isoformat(timespec="seconds"),
                "uptime_seconds": round(self._lifecycle.uptime_seconds, 1),
            },
            "live": self._live(),
            "ready": readiness["ready"],
            "reasons": readiness["reasons"],
            "services": readiness["dependencies"],
        }
        try:
            sections = await self._on_worker_loop(self._collect)
        except TimeoutError:
            answer["error"] = "the event loop does not answer: the rest is missing"
            return answer
        return answer | sections | {"performance": self._performance.summary()}

    def _collect(self) -> dict[str, Any]:
        self._metrics.refresh()
        return {name: dict(section()) for name, section in self._sections.items()}

    async def _render(self) -> tuple[bytes, str]:
        try:
            await self._on_worker_loop(self._metrics.refresh)
        except TimeoutError:
            log.warning("metrics.not_refreshed")  # the figures of before are better than none
        return self._metrics.render(), self._metrics.content_type

    async def _on_worker_loop(self, function: Callable[[], Answer]) -> Answer:
        """Call a function where the worker's objects live; `TimeoutError` if that is stuck."""

        async def call() -> Answer:
            return function()

        assert self._worker_loop is not None
        future = asyncio.run_coroutine_threadsafe(call(), self._worker_loop)
        async with asyncio.timeout(_TURN_SECONDS):
            return await asyncio.wrap_future(future)

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None  # whoever runs this again takes the port again


def _listen(host: str, port: int) -> socket.socket:
    if host == EVERYWHERE and socket.has_dualstack_ipv6():
        # Every address of this machine, those of IPv4 too, whatever the system's default is.
        return socket.create_server(
            (host, port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
        )
    if host == EVERYWHERE:  # there is no IPv6 here
        host = "0.0.0.0"  # noqa: S104 - what was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"HEALTH_PORT: port {port} of {host} is taken by another process"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"HEALTH_PORT: this user may not listen on port {port}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"HEALTH_HOST: {host} is no address of this machine"
    return f"HEALTH_HOST, HEALTH_PORT: cannot listen on {host}, port {port}: {explain(error)}"
