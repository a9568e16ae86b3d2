"""The failover service: how often it asks the database for what, and how much it takes."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership import takeover
from gateway_worker.sessions.ownership.takeover import FailoverService
from gateway_worker.sessions.ports import SessionRow
from tests.integration.storage.db.support import session_row
from tests.support.eventually import eventually
from tests.support.ports import (
    QuietRelay,
    UnaskedDeadWorkers,
    UnaskedIntake,
    UnaskedSessions,
    UnaskedSessionsHere,
)


class Around(UnaskedSessions, UnaskedDeadWorkers, UnaskedIntake, UnaskedSessionsHere, QuietRelay):
    """A fleet in which nothing happens, as a failover service sees it. Counts its questions."""

    speaks = True
    stranded_seconds = 7.0

    def __init__(self, *, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self.refusals = 0
        self.looks = self.reads = self.cleanings = 0
        self.left = self.share = 0
        self.asked: list[int] = []
        self.adopted: list[str] = []
        self.lost: Sequence[SessionRow] = ()
        self.announced: list[str] = []
        self.linked: set[bool] = set()

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Nobody is dead."""
        self.looks += 1
        return ()

    async def owned_by(self, worker_id: str) -> Sequence[SessionRow]:
        """There are no sessions; a few times not even an answer."""
        self.reads += 1
        if self.refusals:
            self.refusals -= 1
            raise DependencyError("away")
        return ()

    async def orphans(self) -> int:
        """There are none, usually."""
        return self.left

    async def fair_share(self, worker_id: str) -> int:
        """As it was set, less what was taken."""
        return max(0, self.share)

    async def stranded(self, *, after_seconds: float, limit: int) -> Sequence[SessionRow]:
        """Those that were set."""
        assert (after_seconds, limit) == (self.stranded_seconds, takeover._STRANDED_LIMIT)
        return self.lost

    async def is_first(self, worker_id: str) -> bool:
        """There is nobody else."""
        return self.speaks

    async def announce_stranded(self, row: SessionRow) -> None:
        """Note it."""
        self.announced.append(row.session_id)

    async def take_over(
        self, worker_id: str, *, limit: int, linked: bool = True
    ) -> Sequence[SessionRow]:
        """As many as are asked for, as far as they go."""
        self.linked.add(linked)
        self.asked.append(limit)
        taken = [session_row(f"s{self.left - n}") for n in range(min(limit, self.left))]
        self.left -= len(taken)
        self.share -= len(taken)
        return taken

    async def adopt_taken(self, rows: Sequence[SessionRow]) -> None:
        """Note them."""
        self.adopted += [row.session_id for row in rows]

    async def forget_old(self) -> int:
        """Nobody is gone for long."""
        self.cleanings += 1
        return 0


async def look(around: Around, looks: int) -> FailoverService:
    """Let a failover service look so many times."""
    lease_state = LeaseState()
    lease_state.extend(float("inf"))
    failover = FailoverService(
        worker_id="w",
        lease_state=lease_state,
        settle_seconds=0,
        workers=around,
        sessions=around,
        intake=around,
        relay=around,
        here=around,
    )
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(failover.run(stop))
        stack.push_async_callback(asyncio.wait, (task,))
        stack.callback(stop.set)
        await eventually(lambda: around.looks >= looks)
    return failover


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


async def test_the_first_look_takes_the_fair_share_and_the_next_ones_half_of_what_is_left() -> None:
    """The others take theirs; if they cannot, somebody has to."""
    around = Around(lease_seconds=3600)
    around.left, around.share = 30, 10
    await look(around, 6)

    assert around.asked == [10, 10, 5, 4, 4]
    assert sorted(around.adopted) == sorted(f"s{n}" for n in range(1, 31))


async def test_who_has_more_than_the_others_leaves_them_the_first_look() -> None:
    around = Around(lease_seconds=3600)
    around.left, around.share = 3, 0
    await look(around, 4)

    assert around.asked == [4]
    assert sorted(around.adopted) == ["s1", "s2", "s3"]


async def test_what_comes_later_is_shared_anew() -> None:
    """That something was left once says nothing of the next time."""
    around = Around(lease_seconds=3600)
    around.left, around.share = 3, 1
    await look(around, 4)
    assert around.asked == [1, 4]

    around.left, around.share = 20, 7
    around.looks = 0
    await look(around, 1)
    assert around.asked[2] == 7


async def test_sessions_that_nobody_can_run_are_counted_and_announced_once() -> None:
    """By the first of the workers that live, at the level of an error."""
    around = Around(lease_seconds=0)
    around.lost = [session_row("s", worker_id="gone"), session_row("t", worker_id="gone")]
    with capture_logs() as logs:
        failover = await look(around, 10)

    assert around.announced == ["s", "t"]
    assert failover.stranded == 2
    (told,) = [one for one in logs if one["event"] == "takeover.sessions_stranded"]
    assert (told["log_level"], told["new"], told["workers"]) == ("error", ["s", "t"], ["gone"])


async def test_the_other_workers_count_them_and_are_silent() -> None:
    """One event is enough."""
    around = Around(lease_seconds=0)
    around.lost, around.speaks = [session_row("s", worker_id="gone")], False
    failover = await look(around, 10)

    assert (around.announced, failover.stranded) == ([], 1)


async def test_without_copies_only_sessions_that_are_not_linked_are_taken() -> None:
    """They have no device store that would have to come with them."""
    around = Around(lease_seconds=3600)
    around.left, around.share, around.is_portable = 3, 3, False
    await look(around, 4)

    assert around.linked == {False}
