"""A primary dies and its standby is promoted: whose URL has both goes on with all that counted."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from gateway_worker.devkit.services import LaunchOptions
from gateway_worker.devkit.services.launcher import workspace
from gateway_worker.devkit.services.postgres_pair import PostgresPair
from gateway_worker.errors import DependencyError
from gateway_worker.storage.db import PostgresChangeStore, migrate
from tests.integration.storage.db.support import WORKER, message, opened, session_row
from tests.support.eventually import eventually


@pytest.fixture
async def pair() -> AsyncIterator[PostgresPair]:
    """Run two servers of this test's own."""
    with workspace(LaunchOptions()) as place:
        pair = PostgresPair(workspace=place)
        try:
            await pair.start()
            yield pair
        finally:
            await pair.kill()


@pytest.mark.services
@pytest.mark.timeout(180)
async def test_what_was_committed_is_there_after_a_promotion(pair: PostgresPair) -> None:
    """Twice, so that each server is the primary once more."""
    await migrate.upgrade(pair.url)
    async with opened(pair.url, session_row("s")) as database:
        changes = PostgresChangeStore(database=database, worker_id=WORKER)

        async def commits(number: int) -> bool:
            try:
                (committed,) = await changes.commit([message(number)])
            except DependencyError:
                return False
            return committed.applied

        assert await commits(1)
        for number in (2, 3):
            await pair.primary.kill()
            assert not await commits(number)
            await pair.promote()
            await eventually(partial(commits, number), timeout_seconds=60)
            await pair.attach()

        async with database.direct("counting") as connection:
            found = await connection.fetch("SELECT message_id FROM messages ORDER BY 1")
        assert [name for (name,) in found] == ["M1", "M2", "M3"]
