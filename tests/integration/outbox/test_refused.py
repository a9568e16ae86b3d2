"""An arrival that the database refuses: put aside, and told by itself when it can be told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.broker import BrokerSettings
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.inbound.quarantine import Quarantine, QuarantineCount
from gateway_worker.sessions.inbound.quarantine_retry import QuarantineRetries, QuarantineRetry
from gateway_worker.storage.db import Database
from tests.integration.outbox.support import Backend, Life, by_session, living
from tests.integration.storage.db.support import count, message
from tests.support.databases import execute
from tests.support.eventually import eventually

FORBIDDEN = "ALTER TABLE messages ADD CONSTRAINT quiet CHECK (message_id <> 'M2')"


@dataclass(kw_only=True)
class Place:
    """A session as far as it is told again."""

    quarantine_retry: QuarantineRetry


@asynccontextmanager
async def telling(
    life: Life, directory: Path, refused: QuarantineCount
) -> AsyncIterator[QuarantineRetries]:
    """Tell again what is in a directory, as a worker does."""
    place = Place(
        quarantine_retry=QuarantineRetry(
            session_id="s0", epoch=1, quarantine=Quarantine(directory), record=life.recorder.record
        )
    )
    service = QuarantineRetries(
        sessions=lambda: [place], quarantined=refused, initial_seconds=0.2, maximum_seconds=0.4
    )
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    try:
        yield service
    finally:
        stop.set()
        await running


async def arrive(life: Life, directory: Path, refused: QuarantineCount, change: Change) -> None:
    """Record an arrival; it is put aside if it is refused."""
    try:
        await life.recorder.record(change)
    except Exception:  # noqa: BLE001 - whatever the reason is
        await asyncio.to_thread(Quarantine(directory).keep, change)
        refused.note()


async def test_it_is_told_once_its_reason_is_gone(
    database: Database,
    database_url: str,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
) -> None:
    """With its row, once, over a restart as well; the others have not waited for it."""
    refused = QuarantineCount()
    await execute(database_url, FORBIDDEN)
    async with living(database, settings) as life:
        async with telling(life, tmp_path, refused) as service:
            for number in (1, 2, 3):
                await arrive(life, tmp_path, refused, message(number, session="s0"))
            await eventually(lambda: service.waiting == 1, reason="it is put aside")
        await life.stop()

    async with living(database, settings) as life:
        async with telling(life, tmp_path, refused) as service:
            await execute(database_url, "ALTER TABLE messages DROP CONSTRAINT quiet")
            await eventually(lambda: service.recorded == 1, reason="it is told")
        await life.stop()

    assert by_session(await backend.take_all()) == {"s0": [1, 2, 3]}
    assert await count(database, "messages") == 3


async def test_it_is_told_without_its_row_if_its_reason_stays(
    database: Database,
    database_url: str,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
) -> None:
    """A backend hears of it all the same."""
    refused = QuarantineCount()
    await execute(database_url, FORBIDDEN)
    async with living(database, settings) as life:
        async with telling(life, tmp_path, refused) as service:
            await arrive(life, tmp_path, refused, message(2, session="s0"))
            await eventually(lambda: service.recorded == 1, reason="it is told")
        await life.stop()

    assert by_session(await backend.take_all()) == {"s0": [1]}
    assert await count(database, "messages") == 0
    assert Quarantine(tmp_path).read() == []
