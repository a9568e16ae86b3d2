"""A worker's session, for tests of what it does when what is around it fails."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.sessions.harness import SessionHarness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[SessionHarness]:
    """A session that is connected."""
    harness = SessionHarness(tmp_path)
    await harness.begin()
    yield harness
    await harness.end()
