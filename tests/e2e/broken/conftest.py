"""What the stories of broken gateways begin with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.fleet import Fleet, open_fleet


@pytest.fixture
async def fleet(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Fleet]:
    """Two workers."""
    async with open_fleet(sandbox, environment, tmp_path, ("alpha", "beta")) as fleet:
        yield fleet
