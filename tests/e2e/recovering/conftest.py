"""One gateway whose worker is stopped and killed; it is whole again before each test.

The tests run one after the other in one test process, on one event loop, each with a session of its
own and phones with new numbers.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.conftest import GatewayMaker
from tests.e2e.harness import Gateway
from tests.support.grouping import keep_on_one_loop
from tests.support.services import random_name

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process and on one loop, so that their gateway is made once."""
    keep_on_one_loop(items, HERE)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def one_gateway(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """The gateway of all of them."""
    async with gateway_maker.gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(one_gateway: Gateway) -> Gateway:
    """The gateway, whole and without sessions."""
    await one_gateway.restored()
    return one_gateway


@pytest_asyncio.fixture(loop_scope="session")
async def name(gateway: Gateway) -> AsyncIterator[str]:
    """The name of a session that the test may create; deleted in the end, with its host."""
    session_id = random_name()
    yield session_id
    await gateway.forget(session_id)


@pytest_asyncio.fixture(loop_scope="session")
async def other_name(gateway: Gateway) -> AsyncIterator[str]:
    """The name of another one."""
    session_id = random_name()
    yield session_id
    await gateway.forget(session_id)
