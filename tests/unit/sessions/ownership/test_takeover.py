"""The failover service: how often it asks the database for what, and how much it takes."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_contracts import SessionState
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ownership import takeover
from gateway_worker.sessions.ownership.takeover import FailoverService
from gateway_worker.sessions.ports import SessionRow
from tests.integration.storage.db.support import session_row
from tests.support.bindings import MemoryBindings, MemoryBroker
from tests.support.eventually import eventually
from tests.support.fleet import DAY, MemberWorker, MemoryFleet
from tests.support.intake import MemoryIntake
from tests.support.ports import QuietRelay, session_ports, sessions_on
from tests.support.publications import MemoryPublications
from tests.support.recorder import MemoryRecorder
from tests.support.snapshots import MemorySnapshots

ME, GONE = "w", "gone"


class Fleet(MemoryFleet):
    """Counts what it is asked, and can be away. This worker lives in it."""

    def __init__(self, *, lease_seconds: float, capacity: int = 30) -> None:
        super().__init__(lease_seconds=lease_seconds)
        self.workers[ME] = MemberWorker(capacity=capacity)
        self.refusals = 0
        self.looks = self.reads = self.cleanings = 0
        self.asked: list[int] = []

    async def leave(self, count: int, *, worker: str = GONE, running: bool = False) -> None:
        """Let a worker have sessions; those that do not run need no host here."""
        state = SessionState.CONNECTED if running else SessionState.STOPPED
        desired = DesiredState.RUNNING if running else DesiredState.STOPPED
        for _ in range(count):
            name = f"s{len(self._rows):02d}"
            row = session_row(name, worker_id=worker, state=state, desired=desired)
            assert await self.create(row)

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Count the look."""
        self.looks += 1
        return await super().dead_with_leftovers()

    async def owned_by(self, worker_id: str) -> list[SessionRow]:
        """Count the answer; a few times there is none."""
        self.reads += 1
        if self.refusals:
            self.refusals -= 1
            raise DependencyError("away")
        return await super().owned_by(worker_id)

    async def take_over(
        self, worker_id: str, *, limit: int, linked: bool = True
    ) -> Sequence[SessionRow]:
        """Note how many are asked for."""
        self.asked.append(limit)
        return await super().take_over(worker_id, limit=limit, linked=linked)

    async def long_gone(self) -> Sequence[str]:
        """Count the question."""
        self.cleanings += 1
        return await super().long_gone()


class Worker:
    """A worker in a fleet, with its sessions."""

    def __init__(self, fleet: Fleet, directory: Path, *, portable: bool = True) -> None:
        self.fleet = fleet
        self.intake = MemoryIntake()
        self.recorder = MemoryRecorder()
        self.sessions = sessions_on(
            replace(
                session_ports(self.recorder),
                sessions=fleet,
                bindings=MemoryBindings(MemoryBroker(ME), worker_id=ME),
                peer_messages=MemoryPublications(),
                snapshots=MemorySnapshots(portable=portable),
            ),
            worker_id=ME,
            directory=directory,
            capacity=fleet.workers[ME].capacity,
        )

    @property
    def adopted(self) -> int:
        """How many sessions it has."""
        return len(self.sessions.manager.registry.session_ids())

    @property
    def announced(self) -> list[str]:
        """The sessions of which it has told that nobody runs them."""
        return [change.session_id for change in self.recorder.changes]

    async def look(self, looks: int) -> FailoverService:
        """Look around so many times more."""
        failover = FailoverService(
            worker_id=ME,
            lease_state=self.sessions.lease_state,
            settle_seconds=0,
            workers=self.fleet,
            sessions=self.fleet,
            intake=self.intake,
            relay=QuietRelay(),
            here=self.sessions.manager,
        )
        stop, before = asyncio.Event(), self.fleet.looks
        async with AsyncExitStack() as stack:
            task = asyncio.create_task(failover.run(stop))
            stack.push_async_callback(asyncio.wait, (task,))
            stack.callback(stop.set)
            await eventually(lambda: self.fleet.looks >= before + looks)
        return failover


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "_LOOK_SECONDS", 0.001)


async def test_all_own_sessions_are_read_once_a_beat_only(tmp_path: Path) -> None:
    """However often it looks after the dead meanwhile."""
    fleet = Fleet(lease_seconds=3600)
    await Worker(fleet, tmp_path).look(10)

    assert fleet.reads == 1


async def test_what_failed_is_read_again_at_the_next_look(tmp_path: Path) -> None:
    """The beat begins with an answer."""
    fleet = Fleet(lease_seconds=3600)
    fleet.refusals = 3
    await Worker(fleet, tmp_path).look(10)

    assert fleet.reads == 4


async def test_each_beat_has_its_look(tmp_path: Path) -> None:
    """Here they are shorter than the pauses."""
    fleet = Fleet(lease_seconds=0)
    await Worker(fleet, tmp_path).look(10)

    assert fleet.reads >= 9


async def test_old_workers_are_cleared_away_now_and_then(tmp_path: Path) -> None:
    """Not at each look: there is hardly ever one."""
    fleet = Fleet(lease_seconds=0)
    for name in ("old", "busy"):
        fleet.workers[name] = MemberWorker(capacity=1, gone_seconds=DAY + 1)
    worker = Worker(fleet, tmp_path)
    worker.intake.needed.add("busy")
    await worker.look(10)

    assert fleet.cleanings == 1
    assert worker.intake.removed == ["old"]
    assert set(fleet.workers) == {ME, "busy"}, "whose queue is needed is not forgotten"


async def test_one_worker_clears_away_the_old_ones(tmp_path: Path) -> None:
    """Two would take from each other what is in a queue."""
    fleet = Fleet(lease_seconds=0)
    fleet.workers["a"] = MemberWorker(capacity=1)
    fleet.workers["old"] = MemberWorker(capacity=1, gone_seconds=DAY + 1)
    worker = Worker(fleet, tmp_path)
    await worker.look(10)

    assert (worker.intake.removed, "old" in fleet.workers) == ([], True)


async def test_the_first_look_takes_the_fair_share_and_the_next_ones_half_of_what_is_left(
    tmp_path: Path,
) -> None:
    """The others take theirs; if they cannot, somebody has to."""
    fleet = Fleet(lease_seconds=3600)
    for other in ("x", "y"):
        fleet.workers[other] = MemberWorker(capacity=30)
    await fleet.leave(30)
    worker = Worker(fleet, tmp_path)
    await worker.look(6)

    assert fleet.asked == [10, 10, 5, 4, 4]
    assert worker.adopted == 30


async def test_who_has_more_than_the_others_leaves_them_the_first_look(tmp_path: Path) -> None:
    fleet = Fleet(lease_seconds=3600)
    fleet.workers["x"] = MemberWorker(capacity=30)
    await fleet.leave(5, worker=ME)
    await fleet.leave(3)
    worker = Worker(fleet, tmp_path)
    await worker.look(4)

    assert fleet.asked == [4]
    assert worker.adopted == 8


async def test_what_comes_later_is_shared_anew(tmp_path: Path) -> None:
    """That something was left once says nothing of the next time."""
    fleet = Fleet(lease_seconds=3600)
    for other in ("x", "y"):
        fleet.workers[other] = MemberWorker(capacity=30)
    await fleet.leave(3)
    worker = Worker(fleet, tmp_path)
    await worker.look(4)
    assert fleet.asked == [1, 4]

    await fleet.leave(20)
    await worker.look(1)
    assert fleet.asked[2] == 5, "a third of 23, less the 3 that are here"


async def test_sessions_that_nobody_can_run_are_counted_and_announced_once(
    tmp_path: Path,
) -> None:
    """By the first of the workers that live, at the level of an error."""
    fleet = Fleet(lease_seconds=0, capacity=0)
    await fleet.leave(2, running=True)
    lost = sorted(fleet._rows)
    worker = Worker(fleet, tmp_path)
    with capture_logs() as logs:
        failover = await worker.look(10)

    assert worker.announced == lost
    assert failover.stranded == 2
    (told,) = [one for one in logs if one["event"] == "takeover.sessions_stranded"]
    assert (told["log_level"], told["new"], told["workers"]) == ("error", lost, [GONE])


async def test_the_other_workers_count_them_and_are_silent(tmp_path: Path) -> None:
    """One event is enough."""
    fleet = Fleet(lease_seconds=0, capacity=0)
    fleet.workers["a"] = MemberWorker(capacity=0)
    await fleet.leave(1, running=True)
    worker = Worker(fleet, tmp_path)
    failover = await worker.look(10)

    assert (worker.announced, failover.stranded) == ([], 1)


async def test_without_copies_only_sessions_that_are_not_linked_are_taken(tmp_path: Path) -> None:
    """They have no device store that would have to come with them."""
    fleet = Fleet(lease_seconds=3600)
    await fleet.leave(3)
    linked = min(fleet._rows)
    fleet.link(linked)
    worker = Worker(fleet, tmp_path, portable=False)
    await worker.look(4)

    assert worker.adopted == 2
    assert not worker.sessions.manager.is_held(linked)


async def test_the_queues_of_the_dead_are_attended_until_they_come_back(tmp_path: Path) -> None:
    """Or until this worker leaves."""
    fleet = Fleet(lease_seconds=3600, capacity=0)
    fleet.workers[GONE] = MemberWorker(capacity=1, gone_seconds=1.0)
    attended: list[list[str]] = []

    class Watched(MemoryIntake):
        """Notes each change."""

        def attend(self, worker_id: str) -> None:
            """Attend it, and let the dead come back."""
            super().attend(worker_id)
            attended.append(sorted(self.attended))
            fleet.workers[GONE].gone_seconds = None

        async def dismiss(self, worker_id: str) -> None:
            """Leave it."""
            await super().dismiss(worker_id)
            attended.append(sorted(self.attended))

    worker = Worker(fleet, tmp_path)
    worker.intake = Watched()
    await worker.look(4)

    assert attended == [[GONE], []]
