"""One sandbox and one fork server per test process: starting them takes seconds.

A module begins without hosts; what it leaves running is ended with it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.eventually import eventually
from tests.support.grouping import keep_modules_together

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each module's tests in one process, so that its accounts are linked once."""
    keep_modules_together(items, HERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Where the stages of all modules are."""

    sandbox: Sandbox
    processes: HostProcesses


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house() -> AsyncIterator[House]:
    """Open a sandbox, and what starts hosts that are pointed at it."""
    async with (
        Sandbox.open(SandboxSettings()) as sandbox,
        HostProcesses(settings_for(sandbox)) as processes,
    ):
        yield House(sandbox=sandbox, processes=processes)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A stage without hosts; at the end nothing may have tried to leave the machine."""
    yield Stage(
        sandbox=house.sandbox,
        processes=house.processes,
        directory=tmp_path_factory.mktemp("sessions"),
    )
    house.processes.kill_all()
    await eventually(lambda: house.processes.host_pids == (), reason="no host is left")
    assert house.sandbox.egress_attempts == ()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(stage: Stage) -> Account:
    """Link one account for the tests that leave it as it was."""
    return await stage.linked()
