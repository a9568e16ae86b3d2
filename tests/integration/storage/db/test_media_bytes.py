"""How many bytes of files each tenant has had on a day."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import pytest

from gateway_worker.errors import QuotaExceededError
from gateway_worker.media.allowance import KEPT, ByteCounts, Direction, MediaAllowance
from gateway_worker.storage.db.media_bytes import PostgresByteCounts
from tests.integration.storage.db.support import opened
from tests.support.byte_counts import MemoryByteCounts
from tests.support.clocks import ManualClock

TODAY = date(2026, 11, 24)


@asynccontextmanager
async def counts(where: str, database_url: str) -> AsyncIterator[ByteCounts]:
    """Open one of both."""
    if where == "memory":
        yield MemoryByteCounts()
        return
    async with opened(database_url) as database:
        yield PostgresByteCounts(database=database)


@pytest.mark.parametrize("where", ["memory", "postgresql"])
async def test_bytes_are_counted_by_tenant_and_day(where: str, database_url: str) -> None:
    """And by the way they go, whoever counts; old days are forgotten, a few at a time."""
    sent, received = Direction
    async with counts(where, database_url) as made:
        assert await made.of("acme", TODAY, sent) == 0
        await asyncio.gather(*(made.add("acme", TODAY, sent, 5_000_000_000) for _ in range(8)))
        await asyncio.gather(*(made.add("acme", TODAY, received, 3) for _ in range(8)))
        yesterday = TODAY - timedelta(days=1)
        for tenant in ("acme", "mallory"):
            await made.add(tenant, yesterday, received, 1)
        assert await made.of("acme", TODAY, sent) == 40_000_000_000
        assert await made.of("acme", TODAY, received) == 24
        assert await made.of("acme", yesterday, received) == 1
        assert await made.of("acme", yesterday, sent) == 0
        assert await made.of("mallory", TODAY, received) == 0

        assert [await made.prune(TODAY, 1) for _ in range(3)] == [1, 1, 0]
        assert await made.of("acme", yesterday, received) == 0
        assert await made.of("acme", TODAY, sent) == 40_000_000_000


async def test_no_file_is_begun_when_the_days_bytes_are_used_up(database_url: str) -> None:
    """By one tenant, until the next day; it holds over restarts, and for all workers.

    What strangers have sent it takes nothing from what it may send.
    """
    clock = ManualClock()
    async with opened(database_url) as database:
        workers = [
            MediaAllowance(
                counts=PostgresByteCounts(database=database),
                direction=Direction.SENT,
                per_day=100,
                clock=clock,
            )
            for _ in range(2)
        ]
        received = MediaAllowance(
            counts=PostgresByteCounts(database=database),
            direction=Direction.RECEIVED,
            per_day=10,
            clock=clock,
        )
        await received.count("acme.a", 1_000)
        with pytest.raises(QuotaExceededError, match="received"):
            await received.check("acme.b")
        await workers[0].count("acme.a", 99)
        await workers[1].check("acme.b")
        await workers[1].count("acme.b", 50)
        for worker in workers:
            with pytest.raises(QuotaExceededError, match="100 bytes"):
                await worker.check("acme.c")
            for other in ("mallory.a", "a", "acme"):
                await worker.check(other)
        clock.seconds += 86_400
        await workers[0].check("acme.a")
        clock.seconds += KEPT.total_seconds()
        assert [await workers[0].prune(10) for _ in range(2)] == [1, 0]
