"""A server and a paired library client for the modules that share one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.integration.sandbox.wire_support import LibraryClient, SharedPair, World
from tests.support.grouping import keep_modules_together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each module that shares a pair in one process, so that it is paired once."""
    sharing = [item for item in items if "pair" in getattr(item, "fixturenames", ())]
    keep_modules_together(sharing, HERE)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedPair]:
    """A server and one paired client for all tests of this module."""
    async with SharedPair.open(tmp_path_factory.mktemp("pair")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def world(pair: SharedPair) -> AsyncIterator[World]:
    """The shared server without faults, and a Bob of this test's own."""
    async with pair.world() as opened:
        yield opened


@pytest.fixture
def client(pair: SharedPair, world: World) -> LibraryClient:
    """The client that is paired with Ann's phone, connected."""
    return pair.client
