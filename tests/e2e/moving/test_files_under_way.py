"""A session moves while a file is on its way: it is sent once, in its place."""

import asyncio
from pathlib import Path

from gateway_contracts import CommandSucceeded, SessionMigrate, SessionMigrateData
from tests.e2e.fleet import Fleet
from tests.support.eventually import eventually
from tests.support.web import answer, file_server

BODY = bytes(range(256)) * 1_000


async def test_a_session_that_moves_takes_its_file_with_it(fleet: Fleet, name: str) -> None:
    """The new worker fetches it itself, and what comes after it in its chat stays there."""
    asked: list[asyncio.StreamWriter] = []

    async def first_hangs(writer: asyncio.StreamWriter) -> None:
        asked.append(writer)
        if len(asked) == 1:
            await writer.wait_closed()
        else:
            await answer(BODY)(writer)

    async with file_server({"/a": first_hangs}) as server:
        shop, ada = await fleet.sandbox.add_phone(), await fleet.sandbox.add_phone()
        await fleet.link(name, shop)
        url = f"http://127.0.0.1:{server.port}/a"
        file = fleet.document(name, ada.number, url)
        after = fleet.text(name, ada.number, "after")
        for command in (file, after):
            await fleet.backend.publish(command)
        await eventually(lambda: asked, timeout_seconds=30)
        migrate = SessionMigrate(
            source=fleet.backend.source, subject=name, data=SessionMigrateData()
        )
        assert isinstance(await fleet.backend.request(migrate), CommandSucceeded)
        for command in (file, after):
            assert isinstance(await fleet.backend.outcome(command.id), CommandSucceeded)
        first, second = [await ada.next_message(timeout=30) for _ in range(2)]
        assert await ada.media_bytes(first) == BODY
        assert second.text == "after"
    assert not [left for worker in fleet.workers.values() for left in _left(worker.data_dir)]


def _left(directory: Path) -> list[Path]:
    """Return what files on their way have left below a directory."""
    return list(directory.glob("**/outgoing/*"))
