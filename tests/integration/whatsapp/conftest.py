"""One sandbox and one fork server per module: starting them takes seconds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.grouping import keep_modules_together

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each module's tests in one process, so that its sandbox is started once."""
    keep_modules_together(items, HERE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Open a sandbox with hosts; at the end nothing may have tried to leave the machine."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        async with HostProcesses(settings_for(sandbox)) as processes:
            yield Stage(
                sandbox=sandbox,
                processes=processes,
                directory=tmp_path_factory.mktemp("sessions"),
            )
        assert sandbox.egress_attempts == ()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(stage: Stage) -> Account:
    """Link one account for the tests that leave it as it was."""
    return await stage.linked()
