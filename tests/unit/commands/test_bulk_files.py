"""Files of rows are read a few at a time, however many bulks somebody begins at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import cast

from gateway_contracts import (
    BulkCheck,
    BulkCreate,
    BulkCreateData,
    BulkFile,
    BulkFormat,
    BulkResultFile,
    ObjectSource,
    TextToSend,
    UploadSource,
)
from gateway_worker.commands.deferrals import BulkFiles
from gateway_worker.commands.deferred.bulk_feeder import BulkFeeder
from gateway_worker.commands.deferred.bulks import BulkCommands
from gateway_worker.commands.features import DEFAULT
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.sessions.session.session import Session
from tests.support.eventually import eventually
from tests.support.ports import UnaskedBulks, unasked


class SlowFiles(BulkFiles):
    """Files of one row, which come when the test says so.

    Attributes:
        come: Set when they do.
        reading: Whose are being read.
        most: How many were at the same time.
    """

    def __init__(self) -> None:
        self.come = asyncio.Event()
        self.reading: list[str] = []
        self.most = 0

    async def read(
        self, session_id: str, media: ObjectSource | UploadSource
    ) -> AsyncGenerator[bytes, None]:
        """Yield the row."""
        assert isinstance(media, ObjectSource)
        self.reading.append(session_id)
        self.most = max(self.most, len(self.reading))
        await self.come.wait()
        yield b"to\n+15550100002\n"
        await asyncio.sleep(0)
        self.reading.remove(session_id)

    async def write(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Fail."""
        unasked(self, "write")

    async def told(self, key: str) -> BulkResultFile:
        """Fail."""
        unasked(self, "told")


def dry_run(session_id: str) -> BulkCreate:
    """Return a command that has a file checked."""
    tenant = session_id.partition(".")[0]
    media = ObjectSource(key=f"shared/{tenant}/rows.csv")
    return BulkCreate(
        source="/backends/test",
        subject=session_id,
        data=BulkCreateData(
            content=TextToSend(text="Hello"),
            file=BulkFile(media=media, format=BulkFormat.CSV),
            dry_run=True,
        ),
    )


async def test_files_of_rows_take_turns_and_tenants_too() -> None:
    """Two at a time, and one of each tenant."""
    files = SlowFiles()
    bulks = BulkCommands(
        store=UnaskedBulks(),
        feeder=cast("BulkFeeder", None),
        files=files,
        clock=SystemClock(),
        features=DEFAULT,
        is_closed=lambda _session: False,
    )
    sessions = ("acme.a", "acme.b", "acme.c", "smith.a", "jones.a")
    async with asyncio.TaskGroup() as group:
        checks = [
            group.create_task(bulks.create(cast("Session", None), dry_run(session)))
            for session in sessions
        ]
        await eventually(lambda: files.reading == ["acme.a", "smith.a"])
        files.come.set()

    assert [cast("BulkCheck", check.result()).rows for check in checks] == [1] * len(sessions)
    assert files.most == 2
