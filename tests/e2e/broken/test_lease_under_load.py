"""A worker's lease does not wait behind its work."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from gateway_contracts import SessionGetStatus
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import Gateway, open_gateway
from tests.support.eventually import eventually

RENEWALS = 5


@pytest.fixture
async def gateway(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A gateway with few connections to its database and a short lease."""
    few = {"DATABASE_POOL_SIZE": "2", "DATABASE_POOL_OVERFLOW": "0", "LEASE_SECONDS": "3"}
    async with open_gateway(sandbox, {**environment, **few}, tmp_path) as gateway:
        yield gateway


async def test_a_lease_is_renewed_while_every_connection_is_taken(gateway: Gateway) -> None:
    """Look-ups that wait for a lock take all that there are; the lease has its own."""
    database = await asyncpg.connect(gateway.environment["DATABASE_URL"])
    other = await asyncpg.connect(gateway.environment["DATABASE_URL"])
    transaction = database.transaction()
    await transaction.start()
    await database.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
    asked = [
        asyncio.create_task(
            gateway.fail(
                SessionGetStatus(source=gateway.backend.source, subject=f"nobody-{number}"),
                seconds=60,
            )
        )
        for number in range(12)
    ]
    seen = set()

    async def renewed() -> bool:
        seen.add(await other.fetchval("SELECT heartbeat_at FROM workers"))
        return len(seen) > RENEWALS

    await eventually(renewed, timeout_seconds=40)
    said = gateway.worker.log_path.read_text()
    await transaction.rollback()
    await asyncio.gather(*asked)
    await database.close()
    await other.close()

    assert "lease.not_renewed" not in said
    assert "lease.lapsed" not in said
