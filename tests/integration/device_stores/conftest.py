"""One sandbox and one fork server per module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.storage.objects import Bucket, Objects
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.device_stores.stores import Files
from tests.integration.storage.objects.support import made
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.copies import MemoryRegister
from tests.support.grouping import keep_modules_together
from tests.support.objects import settings_of
from tests.support.services import random_name

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each module's tests in one process, so that its sandbox is started once."""
    keep_modules_together(items, HERE)


@dataclass(kw_only=True)
class Devices(Stage):
    """A stage with the copies of its hosts' devices."""

    stores: Files

    async def account(self, *, name: str = "Anna") -> Account:
        """Add an account whose session nobody else has in this run."""
        account = await super().account(name=name)
        account.name = random_name()
        account.directory = self.directory / account.name
        return account


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """Open a sandbox."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def files(s3: ObjectStore) -> AsyncIterator[Files]:
    """Keep copies of the files."""
    settings = settings_of(s3)
    async with Objects.open(settings) as objects:
        bucket = Bucket(objects=objects)
        yield Files(bucket=bucket, snapshots=made(bucket, MemoryRegister(), "k1"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def devices(
    sandbox: Sandbox, files: Files, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Devices]:
    """Open hosts."""
    async with HostProcesses(settings_for(sandbox)) as processes:
        yield Devices(
            sandbox=sandbox,
            processes=processes,
            directory=tmp_path_factory.mktemp("sessions"),
            stores=files,
        )
