"""What a spool still holds goes to the session's owner, and is gone from the disk only then."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gateway_contracts import MessageReceived, parse_event
from gateway_worker.errors import DependencyError
from gateway_worker.sessions import leftovers as module
from gateway_worker.sessions.hosting import HostExited, HostListener, HostSpec
from gateway_worker.sessions.leftovers import Leftovers
from gateway_worker.sessions.ownership.control import Control
from gateway_worker.sessions.ports import SessionRow
from tests.support.eventually import eventually
from tests.unit.sessions.company import Quiet, linked_row
from tests.unit.sessions.test_inbound import message

RECORDS = 4
OUTAGE = 3


class Disk:
    """A spool of some messages, the broker that they go to, and the session's owner."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.acknowledged = 0
        self.lost: list[str] = []
        self.refusals = OUTAGE

    async def get(self, session_id: str) -> SessionRow:
        """Say that another worker has the session."""
        return replace(linked_row(session_id, epoch=7), worker_id="beta")

    async def replay(self, _spec: HostSpec, listener: HostListener) -> "Disk":
        """Tell the messages, as fast as they are taken."""
        self._told = asyncio.create_task(self._tell(listener))
        return self

    async def _tell(self, listener: HostListener) -> None:
        for record in range(1, RECORDS + 1):
            await listener(message(record))
        await eventually(lambda: self.acknowledged == RECORDS)
        await listener(HostExited(expected=True, detail=""))

    async def control(self, _kind: str, *, worker_id: str, body: bytes) -> None:
        """Take a message, unless the broker is away: it is, at the first few attempts."""
        assert worker_id == "beta"
        if self.refusals:
            self.refusals -= 1
            raise DependencyError("away")
        for event in Control.decode("late", body).events:
            received = parse_event(event)
            assert isinstance(received, MessageReceived)
            self.sent.append(received.data.message_id)

    def acknowledge(self, record: int) -> None:
        """Forget what there is up to a record; killed now, a worker has lost what was not sent."""
        self.lost += {f"M{number}" for number in range(1, record + 1)} - set(self.sent)
        self.acknowledged = record

    async def stop(self) -> None:
        """Be gone."""
        await self._told


async def test_nothing_is_forgotten_before_all_that_came_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that waits for the broker is not overtaken by the next one."""
    (tmp_path / "sessions" / "cafe").mkdir(parents=True)
    disk = Disk()
    monkeypatch.setattr(module, "pending_records", lambda _directory: RECORDS - disk.acknowledged)
    leftovers = Leftovers(
        worker_id="me",
        directory=tmp_path,
        launcher=cast("Any", disk),
        sessions=cast("Any", disk),
        messages=cast("Any", Quiet()),
        snapshots=cast("Any", Quiet()),
        controls=cast("Any", disk),
        held=lambda _session_id: False,
    )

    await leftovers.clear("cafe")

    assert disk.lost == []
    assert disk.sent == [f"M{record}" for record in range(1, RECORDS + 1)]
    assert list((tmp_path / "leftovers").iterdir()) == []
