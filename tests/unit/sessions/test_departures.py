"""What a worker does when a session has gone, and when sessions come that nobody has told of."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.leftovers import Leftovers
from gateway_worker.sessions.manager import SessionManager
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.store_files import DEVICE_STORE_NAME
from tests.unit.sessions.company import Company, Quiet, linked_row

ROW = linked_row("cafe", epoch=7)


class Copied:
    """Counts copies by epoch."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    async def save(self, _session_id: str, _directory: Path, *, epoch: int = 0) -> None:
        """Count it."""
        self.epochs.append(epoch)


class Elsewhere:
    """Says that another worker has every session."""

    async def get(self, session_id: str) -> SessionRow:
        """Say so."""
        return replace(ROW, session_id=session_id, worker_id="beta")


@pytest.mark.parametrize(
    ("copied", "copies"), [(None, [7]), (6, [7]), (7, [])], ids=["never", "an older one", "this"]
)
async def test_a_store_is_copied_unless_it_has_been(
    tmp_path: Path, copied: int | None, copies: list[int]
) -> None:
    """And then its directory goes."""
    directory = tmp_path / "sessions" / "cafe"
    directory.mkdir(parents=True)
    (directory / DEVICE_STORE_NAME).write_bytes(b"keys")
    (directory / "epoch").write_text("7")
    snapshots = Copied()
    leftovers = Leftovers(
        worker_id="me",
        directory=tmp_path,
        launcher=cast("Any", Quiet()),
        sessions=cast("Any", Elsewhere()),
        messages=cast("Any", Quiet()),
        snapshots=cast("Any", snapshots),
        controls=cast("Any", Quiet()),
        held=lambda _session_id: False,
    )

    await leftovers.clear("cafe", copied)

    assert snapshots.epochs == copies
    assert not directory.exists()
    assert list((tmp_path / "leftovers").iterdir()) == []


class AbsentBroker:
    """Takes a message at the third attempt."""

    def __init__(self) -> None:
        self.attempts: list[tuple[str, str]] = []

    async def control(self, kind: str, *, worker_id: str, **_: object) -> None:
        """Take it, or do not."""
        self.attempts.append((kind, worker_id))
        if len(self.attempts) < 3:
            raise DependencyError("away")


async def test_a_new_owner_is_told_when_the_broker_is_back(company: Company) -> None:
    """The session has gone meanwhile: nobody waits for that here."""
    controls = AbsentBroker()
    left: list[str] = []
    manager = SessionManager(around=company.around, capacity=10, controls=cast("Any", controls))
    manager.when_left(left.append)
    directory = company.around.directory("cafe")
    directory.mkdir()
    (directory / "epoch").write_text("7")
    await manager.adopt_taken([ROW])

    await manager.depart("cafe", "beta")

    assert left == ["cafe"]
    assert len(controls.attempts) == 1
    await company.around.background.join()
    assert controls.attempts == [("adopt", "beta")] * 3


class SilentBroker:
    """Takes requests and does not answer them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = asyncio.Event()

    async def bind(self, session_id: str) -> None:
        """Wait."""
        self.asked.append(session_id)
        await self.answers.wait()

    def disown(self, session_id: str) -> None:
        """Do nothing."""


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    """Only its surroundings are used."""
    company = Company(tmp_path)
    yield company
    await company.end()


async def test_sessions_that_are_taken_up_do_not_wait_for_the_broker(company: Company) -> None:
    """They connect, and so do those that come next; their commands are routed when it answers."""
    broker = SilentBroker()
    directory = company.around.directory("cafe")
    directory.mkdir()
    (directory / "epoch").write_text("7")
    manager = SessionManager(
        around=replace(company.around, routes=cast("Any", broker)),
        capacity=10,
        controls=cast("Any", Quiet()),
    )

    await manager.adopt_taken([ROW])

    session = manager.held_session("cafe")
    assert session is not None
    await session.until_connected()
    assert session.is_connected
    broker.answers.set()
    await company.around.background.join()
    assert broker.asked == ["cafe"]
    await session.close()
