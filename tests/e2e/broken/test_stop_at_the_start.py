"""A worker that starts can be stopped whatever it waits for, and says why it cannot start."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from gateway_worker.devkit.services.errors import ServiceStartError
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.storage.db.migrate import LOCK_KEY
from tests.e2e.failures.links import POSTGRESQL, RABBITMQ, REDIS, S3, Links
from tests.e2e.harness import open_worker
from tests.support.eventually import eventually

NAME = "brief"
PATIENT = {"AMQP_WAIT_FOR_BROKER": "true", "DATABASE_STARTUP_TIMEOUT_SECONDS": "600"}
LEAVE_SECONDS = 20.0
"""A second, and what a machine needs that does many other things."""


@pytest.fixture
def settings(environment: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    """Settings of a worker that would wait for ever."""
    return {**environment, **sandbox.worker_env, **PATIENT, "LOG_FORMAT": "json"}


async def _leaves_in_order(worker: WorkerProcess) -> None:
    code = await worker.leave(seconds=LEAVE_SECONDS)
    said = worker.log_path.read_text()
    assert code == 0, said
    assert "worker.start_stopped" in said
    assert "Traceback" not in said
    assert "worker.stop_forced" not in said


@pytest.mark.parametrize("silent", [RABBITMQ, POSTGRESQL, REDIS, S3])
async def test_a_start_that_waits_for_a_silent_service_can_be_stopped(
    settings: dict[str, str], tmp_path: Path, silent: str
) -> None:
    """It is connected to something that says nothing."""
    async with Links.to(settings) as links:
        links[silent].pause()
        slow = {"REDIS_TIMEOUT_SECONDS": "60"}
        async with open_worker(
            {**links.environment(settings), **slow}, tmp_path, name=NAME
        ) as worker:
            await worker.start(wait_ready=False)
            await eventually(lambda: links[silent].connections, timeout_seconds=30)
            await _leaves_in_order(worker)


async def test_a_start_that_waits_for_a_migration_elsewhere_can_be_stopped(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """And what it has connected to is given back."""
    other = await asyncpg.connect(settings["DATABASE_URL"])
    try:
        await other.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
        async with open_worker(settings, tmp_path, name=NAME) as worker:
            await worker.start(wait_ready=False)
            await eventually(
                lambda: (
                    worker.log_path.exists()
                    and "schema.waiting_for_other_worker" in worker.log_path.read_text()
                ),
                timeout_seconds=30,
            )
            await _leaves_in_order(worker)
    finally:
        await other.close()


async def test_a_start_that_waits_for_its_fork_server_can_be_stopped(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """Even if that does nothing any more."""
    async with open_worker(settings, tmp_path, name=NAME) as worker:
        await worker.start(wait_ready=False)
        zygotes = await eventually(worker.zygotes, timeout_seconds=30)
        os.kill(zygotes[0].pid, signal.SIGSTOP)
        await _leaves_in_order(worker)
        await eventually(lambda: not zygotes[0].is_running())


async def _fails(settings: dict[str, str], directory: Path) -> str:
    async with open_worker(settings, directory, name=NAME) as worker:
        with pytest.raises(ServiceStartError, match="ended with code"):
            await worker.start()
    said = worker.log_path.read_text()
    assert "Traceback" not in said
    return said


async def test_a_start_that_fails_names_the_cause(settings: dict[str, str], tmp_path: Path) -> None:
    """And not the nearest service."""
    taken = tmp_path / "taken"
    taken.write_text("a file, where a directory should be")
    causes = {
        "data": ({"DATA_DIR": str(taken / "data")}, "DATA_DIR"),
        "log": ({"LOG_FILE": "/proc/worker.log"}, "LOG_FILE"),
    }
    said = await asyncio.gather(
        *(_fails({**settings, **more}, tmp_path / name) for name, (more, _) in causes.items())
    )
    for words, (_, cause) in zip(said, causes.values(), strict=True):
        assert cause in words.splitlines()[-1]
