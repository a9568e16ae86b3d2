"""One gateway for all tests in here; each has a session of its own, and phones with new numbers.

They run one after the other in one test process, on one event loop. A test that needs a session of
its own has the fixture `name`; to link one costs a second, and most can do with the shared `shop`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_contracts import SessionDelete, Topology
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.conftest import GatewayMaker
from tests.e2e.harness import Gateway
from tests.e2e.shared.talk import Talk
from tests.support.dead_letters import DeadLetters
from tests.support.grouping import keep_on_one_loop
from tests.support.services import random_name

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process and on one loop, so that their gateway is started once."""
    keep_on_one_loop(items, HERE)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def gateway(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """The running gateway."""
    async with gateway_maker.gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A session that is linked and connected, and its phone."""

    name: str
    phone: Phone


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shop(gateway: Gateway) -> Shop:
    """One for all tests that leave it connected and as it was; give each customers of its own."""
    shop = Shop(name=random_name(), phone=await gateway.sandbox.add_phone())
    await gateway.link(shop.name, shop.phone)
    return shop


@pytest_asyncio.fixture(loop_scope="session")
async def talk(gateway: Gateway, shop: Shop) -> Talk:
    """The shop and somebody whom nobody has written with."""
    other = await gateway.sandbox.add_phone()
    return Talk(gateway=gateway, name=shop.name, phone=shop.phone, other=other)


@pytest_asyncio.fixture(loop_scope="session")
async def name(gateway: Gateway) -> AsyncIterator[str]:
    """The name of a session that the test may create; deleted in the end, with its host."""
    session_id = random_name()
    yield session_id
    await gateway.backend.request(SessionDelete(source=gateway.backend.source, subject=session_id))


@pytest_asyncio.fixture(loop_scope="session")
async def dead_letters(gateway: Gateway) -> AsyncIterator[DeadLetters]:
    """The gateway's dead letters, also those of other tests: ask for one by its body."""
    topology = Topology(prefix=gateway.environment["AMQP_PREFIX"])
    async with DeadLetters.open(gateway.environment["AMQP_URL"], topology) as letters:
        yield letters
