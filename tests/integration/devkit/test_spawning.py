"""Both ways to start a worker's process: as a program of its own, and as a fork of a warm one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_worker.devkit.services.process import Command, Spawn, base_environment, spawned
from tests.support.warm_workers import warm

NOWHERE = {
    "AMQP_URL": "amqp://127.0.0.1:1/",
    "AMQP_WAIT_FOR_BROKER": "true",
    "DATABASE_URL": "postgresql://127.0.0.1:1/d",
    "DATABASE_STARTUP_TIMEOUT_SECONDS": "600",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "S3_BUCKET": "none",
    "HEALTH_PORT": "0",
}
"""A worker waits for ever there."""

each = pytest.mark.parametrize("spawn", [spawned, warm])


def command(directory: Path, **environment: str) -> Command:
    """Return how a worker is started in a directory."""
    return Command(
        arguments=[sys.executable, "-m", "gateway_worker", "run"],
        environment={**base_environment(), **environment},
        directory=directory,
        log_path=directory / "log",
    )


@each
def test_it_ends_by_itself(spawn: Spawn, tmp_path: Path) -> None:
    """Its exit code is told again and again, and what it says is in the log behind what was."""
    (tmp_path / "log").write_text("before\n")
    process = spawn(command(tmp_path))
    assert process.wait(60) == process.wait() == process.poll() == process.returncode == 2
    process.send_signal(signal.SIGTERM)
    first, *said = (tmp_path / "log").read_text().splitlines()
    assert first == "before"
    assert any("AMQP_URL: is not set" in line for line in said)


@each
def test_it_lives_until_a_signal_ends_it(spawn: Spawn, tmp_path: Path) -> None:
    """The signal is told in place of an exit code."""
    process = spawn(command(tmp_path, DATA_DIR=str(tmp_path / "data"), **NOWHERE))
    assert process.poll() is process.returncode is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == process.poll() == process.returncode == -signal.SIGKILL
