"""A worker is gone and nobody else can run its session: everybody is told, and answered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    SessionDelete,
    SessionGetStatus,
    SessionState,
    SessionStatus,
    StatusReason,
)
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.fleet import Fleet, open_fleet
from tests.e2e.harness import ADA, SHOP


@pytest.fixture
async def fleet(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Fleet]:
    """Two workers without copies of device stores."""
    more = {"SNAPSHOT_KEYS": "", "STRANDED_SECONDS": "1"}
    async with open_fleet(sandbox, environment, tmp_path, ("alpha", "beta"), more) as fleet:
        yield fleet


async def test_a_session_of_a_lost_worker_is_told_answered_and_deleted(fleet: Fleet) -> None:
    """Its state is true, a send fails, and its name is free again in the end."""
    shop = await fleet.sandbox.add_phone(SHOP)
    await fleet.sandbox.add_phone(ADA)
    await fleet.link("shop", shop)
    home = fleet.home("shop")
    after = len(fleet.backend.arrivals)
    await fleet.workers[home].kill()

    told = await fleet.backend.expect(
        SessionStatus,
        "shop",
        lambda event: event.data.reason is StatusReason.WORKER_LOST,
        after=after,
        seconds=40,
    )
    assert (told.data.state, told.data.worker) == (SessionState.RECONNECTING, home)
    status = await fleet.succeed(SessionGetStatus(source=fleet.backend.source, subject="shop"))
    assert (status.state, status.reason) == (SessionState.RECONNECTING, StatusReason.WORKER_LOST)
    failed = await fleet.backend.request(fleet.text("shop", ADA, "hello"))
    assert isinstance(failed, CommandFailed)
    assert failed.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    gone = await fleet.backend.request(SessionDelete(source=fleet.backend.source, subject="shop"))
    assert isinstance(gone, CommandSucceeded)
    fleet.assert_whole("shop", after=after)
