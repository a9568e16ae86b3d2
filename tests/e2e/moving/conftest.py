"""Two workers between which sessions move; they are whole again before each test.

The tests of this directory run one after the other in one test process, on one event loop, each
with a session of its own and phones with new numbers.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.conftest import GatewayMaker
from tests.e2e.fleet import Fleet, open_fleet
from tests.support.grouping import keep_on_one_loop
from tests.support.services import random_name

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process and on one loop, so that their workers are made once."""
    keep_on_one_loop(items, HERE)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def one_fleet(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """The workers of all of them."""
    async with (
        gateway_maker.place() as (sandbox, environment),
        open_fleet(
            sandbox, environment, tmp_path_factory.mktemp("fleet"), ("alpha", "beta")
        ) as fleet,
    ):
        yield fleet


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(one_fleet: Fleet) -> Fleet:
    """The workers, whole and without sessions."""
    await one_fleet.restored()
    return one_fleet


@pytest_asyncio.fixture(loop_scope="session")
async def name(fleet: Fleet) -> AsyncIterator[str]:
    """The name of a session that the test may create; deleted in the end, with its host."""
    session_id = random_name()
    yield session_id
    await fleet.forget(session_id)
