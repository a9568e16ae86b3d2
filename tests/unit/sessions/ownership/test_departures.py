"""What a worker does when a session has gone, and when sessions come that nobody has told of."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway_contracts import StatusReason
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.ports import PendingMarker
from tests.support.bindings import MemoryBindings, MemoryBroker
from tests.support.publications import MemoryPublications
from tests.unit.sessions.harness import SessionHarness, linked_row

ROW = linked_row("cafe", epoch=7)


class AbsentBroker(MemoryPublications):
    """Takes a message at the third attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[tuple[str, str]] = []

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Take it, or do not."""
        self.attempts.append((kind, worker_id))
        self.is_away = len(self.attempts) < 3
        await super().send_peer_message(kind, worker_id=worker_id, body=body, message_id=message_id)


async def test_a_new_owner_is_told_when_the_broker_is_back(harness: SessionHarness) -> None:
    """The session has gone meanwhile: nobody waits for that here."""
    messages = AbsentBroker()
    left: list[str] = []
    sessions = harness.worker(peer_messages=messages)
    manager = sessions.manager
    manager.departures.when_left(left.append)
    directory = harness.data.session("cafe")
    directory.mkdir()
    (directory / "epoch").write_text("7")
    await manager.adopt_taken([ROW])

    await manager.departures.depart("cafe", "beta")

    assert left == ["cafe"]
    assert len(messages.attempts) == 1
    await sessions.background.join()
    assert messages.attempts == [("adopt", "beta")] * 3


class SilentBroker(MemoryBindings):
    """Takes requests and does not answer them."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker(), worker_id="me")
        self.asked: list[str] = []
        self.answers = asyncio.Event()

    async def bind(self, session_id: str) -> None:
        """Wait."""
        self.asked.append(session_id)
        await self.answers.wait()
        await super().bind(session_id)


class LostBroker(MemoryBindings):
    """Cannot be asked."""

    async def is_listening(self, worker_id: str) -> bool:
        """Fail."""
        raise DependencyError(f"not connected, asked of {worker_id}")


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[SessionHarness]:
    """Only what leads outside of it is used."""
    harness = SessionHarness(tmp_path)
    yield harness
    await harness.end()


async def test_sessions_that_are_taken_up_do_not_wait_for_the_broker(
    harness: SessionHarness,
) -> None:
    """They connect, and so do those that come next; their commands are routed when it answers."""
    broker = SilentBroker()
    directory = harness.data.session("cafe")
    directory.mkdir()
    (directory / "epoch").write_text("7")
    sessions = harness.worker(bindings=broker)

    await sessions.manager.adopt_taken([ROW])

    session = sessions.manager.registry.held_session("cafe")
    assert session is not None
    await session.until_connected()
    assert session.is_connected
    broker.answers.set()
    await sessions.background.join()
    assert broker.asked == ["cafe"]
    await session.close()


async def test_a_broker_that_cannot_be_asked_is_an_outage(harness: SessionHarness) -> None:
    """A move waits it out: it counts by its time, not by how often it was tried."""
    sessions = harness.worker(bindings=LostBroker(MemoryBroker(), worker_id="me"))

    with pytest.raises(DependencyError, match="not connected, asked of beta"):
        await sessions.manager.directory.is_listening("beta")


@pytest.mark.parametrize("given", [True, False])
async def test_a_session_says_how_it_came_although_nobody_has_announced_it(
    harness: SessionHarness, *, given: bool
) -> None:
    """It may be found in the table before the announcement of its former owner has come."""
    marker = PendingMarker(epoch=ROW.epoch, queue_of="beta", given=given)
    directory = harness.data.session("cafe")
    directory.mkdir()
    (directory / "epoch").write_text("7")
    sessions = harness.worker()

    await sessions.manager.adopt_taken([replace(ROW, pending=(marker,))])

    session = sessions.manager.registry.held_session("cafe")
    assert session is not None
    await session.until_connected()
    reason = StatusReason.HANDED_OVER if given else StatusReason.TAKEN_OVER
    assert reason in harness.reasons()
    await session.close()
