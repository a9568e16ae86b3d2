"""A worker dies and is back before its lease has ended."""

from pathlib import Path

from gateway_contracts import SessionState
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.fleet import open_fleet
from tests.e2e.harness import SHOP


async def test_a_worker_that_comes_back_in_time_keeps_its_sessions(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """A restart within the lease moves nothing."""
    lease = {"LEASE_SECONDS": "30"}
    async with open_fleet(sandbox, environment, tmp_path, ("alpha", "beta"), lease) as fleet:
        shop = await sandbox.add_phone(SHOP)
        await fleet.link("shop", shop)
        home = fleet.home("shop")
        after = len(fleet.backend.arrivals)
        await fleet.workers[home].kill()
        await fleet.workers[home].start()
        status = await fleet.until("shop", SessionState.CONNECTED, after=after)
        assert status.data.worker == home
