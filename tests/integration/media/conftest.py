"""Database, store and WhatsApp's hosts, each of the test's own; a module's processes for files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.storage.db import Database, DatabaseSettings
from gateway_worker.storage.objects import Objects, Streams
from tests.integration.media.harness import Place, WhatsApp, create_session, open_whatsapp
from tests.support.objects import settings_of


@pytest.fixture
async def whatsapp(tmp_path: Path) -> AsyncIterator[WhatsApp]:
    """The hosts of files."""
    async with open_whatsapp(tmp_path) as whatsapp:
        yield whatsapp


@pytest.fixture
async def objects(s3: ObjectStore, s3_prefix: str) -> AsyncIterator[Streams]:
    """The store."""
    settings = settings_of(s3, prefix=s3_prefix)
    async with Objects.open(settings) as small, Streams.open(small) as streams:
        yield streams


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the stopped sessions `s` and `t` of the worker `w`."""
    settings = DatabaseSettings.model_validate({"url": database_url})
    async with Database(settings=settings) as database:
        for session_id in ("s", "t"):
            await create_session(database, session_id)
        yield database


@pytest.fixture
def place(database: Database, objects: Streams, whatsapp: WhatsApp, tmp_path: Path) -> Place:
    """All of it."""
    return Place(database=database, objects=objects, whatsapp=whatsapp, directory=tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def helpers() -> AsyncIterator[Helpers]:
    """The processes that look at files."""
    async with Helpers() as helpers:
        yield helpers
