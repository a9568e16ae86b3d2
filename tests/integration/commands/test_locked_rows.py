"""A row that somebody keeps locked, as in a transaction that was forgotten: one session waits."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from gateway_contracts import CommandSucceeded
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database
from tests.integration.commands.conftest import MINE
from tests.integration.commands.support import Station, working
from tests.integration.commands.test_outcomes import get_status, nothing_is_left
from tests.integration.storage.db.support import opened
from tests.integration.storage.db.test_outages import locked


async def test_the_commands_of_the_others_are_answered(
    station: Station, backend: Backend, database: Database
) -> None:
    """Those of the locked session have their ends when the lock is gone, in order."""
    for session in MINE:
        await backend.request(get_status(session))
    async with locked(database, "a"):
        late = [get_status("a") for _ in range(3)]
        for command in late:
            await backend.publish(command)
        for _ in range(3):
            async with asyncio.timeout(15):
                await asyncio.gather(*(backend.request(get_status(name)) for name in MINE[1:]))
        answered = {one.event.correlationid for one in backend.arrivals}
        assert answered.isdisjoint(command.id for command in late)
    for command in late:
        assert isinstance(await backend.outcome(command.id), CommandSucceeded)
    await nothing_is_left(station)


async def test_a_worker_starts_without_it(
    database: Database,
    database_url: str,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
) -> None:
    """It takes up the session when the lock is gone."""
    async with (
        opened(database_url, lock_timeout_seconds=0.3) as brief,
        AsyncExitStack() as stack,
    ):
        async with locked(database, "a"), asyncio.timeout(15):
            station = await stack.enter_async_context(working(brief, settings, tmp_path))
            assert station.manager.registry.held_session("a") is None
            assert isinstance(await backend.request(get_status("b")), CommandSucceeded)
        assert isinstance(await backend.request(get_status("a")), CommandSucceeded)
        assert station.manager.registry.held_session("a") is not None
