"""The suite's services: one set for all test processes, and private sets for tests that break them.

The first test process starts a supervisor; each holds a connection to it for as long as it lives.
When the last is gone, even if all were killed, the supervisor stops the services and removes their
data.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from gateway_worker.devkit.services import (
    LaunchOptions,
    RunningServices,
    ServiceControlError,
    Services,
    ServicesError,
    Source,
    launcher,
)
from gateway_worker.devkit.services.launcher import THROW_AWAY_PREFIX
from gateway_worker.devkit.services.supervisor import SOCKET
from tests.support.eventually import eventually_blocking

T = TypeVar("T")

VARIABLE_PREFIX = "WA_TEST_"
KEEP_VARIABLE = "WA_TEST_KEEP"
SPAWN_TIMEOUT_SECONDS = 30.0
READY_TIMEOUT_SECONDS = 180.0


def random_name() -> str:
    """Return a name that no other test has, fit for databases, queues, keys and buckets."""
    return f"t{secrets.token_hex(6)}"


def run_apart(body: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end on a loop of its own in a thread, for session-wide fixtures."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(lambda: asyncio.run(body())).result()


class SharedServices:
    """A lease on the set that all test processes of this run share."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        answer = self._receive()
        self.addresses = Services.from_json(answer["services"])
        self.sources = {name: Source(value) for name, value in answer["sources"].items()}

    def add_vhost(self, name: str) -> str:
        """Create a virtual host; return its URL, or the plain URL where the broker is not ours.

        It goes with the broker, in an instant: deleting it with all its queues takes a dozen
        seconds.
        """
        if self.sources["rabbitmq"] is Source.EXTERNAL:
            return self.addresses.amqp_url
        url: str = self._ask({"add_vhost": name})["amqp_url"]
        return url

    def _ask(self, request: dict[str, str]) -> dict[str, Any]:
        self._stream.write(json.dumps(request).encode() + b"\n")
        self._stream.flush()
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        line = self._stream.readline()
        if not line:
            raise ServicesError("the services' supervisor is gone")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ServicesError(answer["error"])
        return answer

    def close(self) -> None:
        """Give the lease up."""
        self._stream.close()


@contextmanager
def shared_services(run_id: str) -> Iterator[SharedServices]:
    """Join the set of this run, starting it when nobody has.

    Raises:
        ServicesError: a service could not be started; the message says what to do.
    """
    directory = Path(tempfile.gettempdir()) / f"{THROW_AWAY_PREFIX}{run_id}"
    directory.mkdir(mode=0o700, exist_ok=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        with (directory / "spawn.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _joined(connection, directory):
                _spawn_supervisor(connection, directory)
        connection.settimeout(READY_TIMEOUT_SECONDS)
        shared = SharedServices(connection)
        try:
            yield shared
        finally:
            shared.close()


def _joined(connection: socket.socket, directory: Path) -> bool:
    try:
        connection.connect(str(directory / SOCKET))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def _spawn_supervisor(connection: socket.socket, directory: Path) -> None:
    log_path = directory / "supervisor.log"
    arguments = ["lease", str(directory), "--prefix", VARIABLE_PREFIX]
    if os.environ.get(KEEP_VARIABLE):
        arguments.append("--keep")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway_worker.devkit.services", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it ends with its leases, not with the terminal's Ctrl-C
        )
    try:
        eventually_blocking(
            lambda: process.poll() is not None or _joined(connection, directory),
            timeout_seconds=SPAWN_TIMEOUT_SECONDS,
        )
        started = process.poll() is None
    except TimeoutError:
        started = False
    if not started:
        text = log_path.read_text() if log_path.exists() else "no output"
        raise ServicesError(f"the services' supervisor did not start:\n{text}")
    process.returncode = 0  # it is meant to outlive us: no ResourceWarning for leaving it alone


class OwnServices:
    """A private set of processes that a test may kill, pause and restart.

    Started at its first use and then kept for the tests of this process, each of which finds all
    services running.
    """

    def __init__(self, services: RunningServices) -> None:
        self.services = services

    async def make_whole(self) -> None:
        """Start what was killed and let run what was paused."""
        for handle in self.services:
            with contextlib.suppress(ServiceControlError):
                await handle.resume()
        await asyncio.gather(*(handle.start() for handle in self.services))


@contextmanager
def own_services() -> Iterator[OwnServices]:
    """Hold a private set, not started yet, in a throw-away directory."""
    options = LaunchOptions(keep=bool(os.environ.get(KEEP_VARIABLE)))
    with launcher.workspace(options) as workspace:
        services = launcher.process_services(workspace)
        try:
            yield OwnServices(services)
        finally:
            run_apart(lambda: _discard(services))


async def _discard(services: RunningServices) -> None:
    await asyncio.gather(*(handle.discard() for handle in services))
