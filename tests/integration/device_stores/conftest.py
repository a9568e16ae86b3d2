"""One sandbox per module, and a fork server for each kind of device store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from gateway_worker.devkit.services import ObjectStore, Services
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.storage.db import Database, DatabaseSettings
from gateway_worker.storage.db.device_stores import PostgresDeviceStores
from gateway_worker.storage.objects import Bucket, Objects, ObjectSnapshots, ObjectsSettings
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.device_stores.kinds import Files, Postgres, StoreKind
from tests.integration.storage.objects.support import keyring
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support import databases
from tests.support.services import random_name

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each module's tests in one process, so that its sandbox is started once."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group(f"device-stores-{item.path.stem}"))


@dataclass(kw_only=True)
class Devices(Stage):
    """A stage whose hosts keep their devices in one kind of store."""

    kind: StoreKind

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
    """Keep devices in files."""
    settings = ObjectsSettings.model_validate(
        {
            "endpoint_url": s3.endpoint_url,
            "region": s3.region,
            "bucket": s3.bucket,
            "access_key_id": s3.access_key_id,
            "secret_access_key": s3.secret_access_key,
        }
    )
    async with Objects.open(settings) as objects:
        bucket = Bucket(objects=objects)
        yield Files(bucket=bucket, snapshots=ObjectSnapshots(bucket=bucket, keyring=keyring("k1")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postgres(services: Services) -> AsyncIterator[Postgres]:
    """Keep devices in a database."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh_database(services.database_url))
        settings = DatabaseSettings(url=SecretStr(url))
        database = await stack.enter_async_context(Database(settings=settings))
        stores = PostgresDeviceStores(database=database, url=url, schema="wa_devices")
        yield Postgres(stores=stores, url=url)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["files", "postgres"])
async def devices(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    files: Files,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Devices]:
    """Open hosts for one kind of store, then for the other."""
    kind: StoreKind = files if request.param == "files" else postgres
    async with HostProcesses(settings_for(sandbox), device_source=kind.device_source) as processes:
        yield Devices(
            sandbox=sandbox,
            processes=processes,
            directory=tmp_path_factory.mktemp("sessions"),
            kind=kind,
        )
