"""A session is to move to a worker that has died, and that nobody misses yet."""

from pathlib import Path

from gateway_contracts import SessionMigrate, SessionMigrateData, SessionStatus, StatusReason
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.fleet import open_fleet
from tests.e2e.harness import SHOP, ErrorCode


async def test_a_session_does_not_go_to_a_worker_that_has_just_died(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """Its lease says that it lives; the session stays connected, and goes to the third worker."""
    names = ("alpha", "beta", "gamma")
    async with open_fleet(sandbox, environment, tmp_path, names) as fleet:
        await fleet.link("shop", await fleet.sandbox.add_phone(SHOP))
        home = fleet.home("shop")
        dead, alive = (name for name in names if name != home)
        after = len(fleet.backend.arrivals)
        await fleet.workers[dead].kill()
        migrate = SessionMigrate(
            source=fleet.backend.source, subject="shop", data=SessionMigrateData(to=dead)
        )
        failed = await fleet.fail(migrate)
        assert failed.data.error.code is ErrorCode.CAPACITY
        told = [one.event for one in fleet.backend.arrivals[after:]]
        assert not [event for event in told if isinstance(event, SessionStatus)]

        await fleet.workers[home].stop()
        await fleet.until_at("shop", alive, after=after)
        told = [one.event for one in fleet.backend.arrivals[after:]]
        reasons = [event.data.reason for event in told if isinstance(event, SessionStatus)]
        assert StatusReason.TAKEN_OVER not in reasons
