"""The background services of a developer: up, used by others, killed, down."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from gateway_worker.devkit.services import LaunchOptions, Services, local_services, state
from gateway_worker.devkit.services.process import is_alive
from tests.support.eventually import eventually

CHECKOUT = Path(__file__).parents[3]
PRINT_URL = "import os; print(os.environ['DATABASE_URL']); raise SystemExit(7)"


def services_command(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `./dev services ...` as the script would."""
    return subprocess.run(
        [sys.executable, "-m", "gateway_worker.devkit.services", *arguments],
        cwd=CHECKOUT,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )


async def write(database_url: str, text: str) -> None:
    """Leave a row behind."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("create table if not exists notes (text text)")
    await connection.execute("insert into notes values ($1)", text)
    await connection.close()


async def read(database_url: str) -> list[str]:
    """Return the rows that `write` left."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("select text from notes")
    await connection.close()
    return [row["text"] for row in rows]


@pytest.mark.timeout(180)
@pytest.mark.xdist_group("own_services")
async def test_services_live_through_up_kill_up_down(tmp_path: Path) -> None:
    """They start, are shared, leave no process when killed, and come back with their data."""
    where = ("--data", str(tmp_path))
    up = services_command("up", *where)
    assert up.returncode == 0, up.stderr
    first = state.published(tmp_path)
    assert first is not None
    assert first.services is not None
    await write(first.services.database_url, "kept")

    # another launcher on the same data uses them instead of starting its own
    async with local_services(LaunchOptions(data_directory=tmp_path, environment={})) as attached:
        assert attached.addresses == first.services
    ran = services_command("exec", *where, "--", sys.executable, "-c", PRINT_URL)
    assert (ran.returncode, ran.stdout.strip()) == (7, first.services.database_url)

    family = psutil.Process(first.pid).children(recursive=True)
    assert len(family) >= 5
    os.kill(first.pid, signal.SIGKILL)
    await eventually(lambda: not [one for one in family if is_alive(one)])
    await eventually(lambda: not state.is_in_use(tmp_path))
    assert state.published(tmp_path) is None

    assert services_command("up", *where).returncode == 0
    second = state.published(tmp_path)
    assert second is not None
    assert second.services == first.services
    assert await read(first.services.database_url) == ["kept"]

    assert services_command("down", *where).returncode == 0
    assert not state.is_in_use(tmp_path)
    assert services_command("status", *where).returncode == 1


async def test_services_from_the_environment_are_used_as_they_are(
    services: Services, tmp_path: Path
) -> None:
    """With every URL given nothing is started."""
    options = LaunchOptions(data_directory=tmp_path, environment=services.environment())
    before = {child.pid for child in psutil.Process().children()}
    async with local_services(options) as running:
        assert running.addresses == services
        assert {child.pid for child in psutil.Process().children()} == before


async def test_exec_passes_the_variables_on(services: Services, tmp_path: Path) -> None:
    """The program sees all variables of the worker, and its exit code comes back."""
    program = "import os, json; print(json.dumps(dict(os.environ)))"
    result = services_command(
        "exec", "--data", str(tmp_path), "--", sys.executable, "-c", program,
        environment=services.environment(),
    )  # fmt: skip
    seen = json.loads(result.stdout)

    assert services.environment().items() <= seen.items()


def test_status_and_env_say_when_nothing_runs(tmp_path: Path) -> None:
    """Both fail, with a hint."""
    assert services_command("status", "--data", str(tmp_path)).returncode == 1
    result = services_command("env", "--data", str(tmp_path))
    assert result.returncode == 1
    assert "./dev services up" in result.stderr
