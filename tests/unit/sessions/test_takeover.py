"""The caretaker: how often it asks the database for what."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.ownership import takeover
from gateway_worker.sessions.ownership.lease import Tenure
from gateway_worker.sessions.ownership.takeover import Caretaker
from gateway_worker.sessions.ports import SessionRow
from tests.support.eventually import eventually


class Around:
    """Everything around a caretaker: a fleet in which nothing happens. Counts what it is asked."""

    attended: tuple[str, ...] = ()

    def __init__(self, *, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self.refusals = 0
        self.looks = self.reads = self.cleanings = 0

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Nobody is dead."""
        self.looks += 1
        return ()

    async def owned_by(self, _worker_id: str) -> Sequence[SessionRow]:
        """There are no sessions; a few times not even an answer."""
        self.reads += 1
        if self.refusals:
            self.refusals -= 1
            raise DependencyError("away")
        return ()

    async def orphans(self) -> int:
        """There are none."""
        return 0

    async def adopt_strays(self) -> None:
        """There are no events either."""

    async def forget_old(self) -> int:
        """Nobody is gone for long."""
        self.cleanings += 1
        return 0


async def look(around: Around, looks: int) -> None:
    """Let a caretaker look around so many times."""
    tenure = Tenure()
    tenure.extend(float("inf"))
    caretaker = Caretaker(
        worker_id="w",
        tenure=tenure,
        settle_seconds=0,
        workers=around,  # type: ignore[arg-type]
        sessions=around,  # type: ignore[arg-type]
        intake=around,  # type: ignore[arg-type]
        relay=around,  # type: ignore[arg-type]
        here=around,  # type: ignore[arg-type]
    )
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(caretaker.run(stop))
        stack.push_async_callback(asyncio.wait, (task,))
        stack.callback(stop.set)
        await eventually(lambda: around.looks >= looks)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "_LOOK_SECONDS", 0.001)


async def test_all_own_sessions_are_read_once_a_beat_only() -> None:
    """However often it looks after the dead meanwhile."""
    around = Around(lease_seconds=3600)
    await look(around, 10)

    assert around.reads == 1


async def test_what_failed_is_read_again_at_the_next_look() -> None:
    """The beat begins with an answer."""
    around = Around(lease_seconds=3600)
    around.refusals = 3
    await look(around, 10)

    assert around.reads == 4


async def test_each_beat_has_its_look() -> None:
    """Here they are shorter than the pauses."""
    around = Around(lease_seconds=0)
    await look(around, 10)

    assert around.reads >= 9


async def test_old_workers_are_cleared_away_now_and_then() -> None:
    """Not at each look: there is hardly ever one."""
    around = Around(lease_seconds=0)
    await look(around, 10)

    assert around.cleanings == 1
