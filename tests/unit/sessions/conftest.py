"""A worker's session, for tests of what it does when its surroundings fail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.sessions.harness import Company


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    """A session that is connected."""
    company = Company(tmp_path)
    await company.begin()
    yield company
    await company.end()
