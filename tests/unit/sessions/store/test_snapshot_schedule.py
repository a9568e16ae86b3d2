"""Copies come soon after a change, not too often, not all at once, and again if they failed."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.store.snapshot_schedule import (
    SnapshotSchedule,
    SnapshotTiming,
    StoreFiles,
)
from tests.support.clocks import ManualClock
from tests.support.eventually import eventually
from tests.support.snapshots import MemorySnapshots


class Copies(MemorySnapshots):
    """Notes the copies that are asked for; may be away, or slow."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, int]] = []
        self.away = self.outdated = False
        self.asked = 0
        self.unusable: set[str] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def save(
        self,
        session_id: str,
        directory: Path,
        *,
        epoch: int = 0,
        again: bool = False,
    ) -> bool:
        """Make a copy once the gate is open."""
        assert directory.name == session_id
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.away:
                raise DependencyError("away")
            if self.outdated:
                return False
            if session_id in self.unusable:
                raise DependencyError("damaged")
            self.made.append((session_id, epoch))
            return await super().save(session_id, directory, epoch=epoch, again=again)
        finally:
            self.at_once -= 1


class Bench:
    """A schedule over sessions whose stores are small files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.copies = Copies()
        self.sessions: list[StoreFiles] = []
        self.draw: Callable[[float, float], float] = lambda low, _high: low
        self.schedule = SnapshotSchedule(
            snapshots=self.copies,
            running=lambda: list(self.sessions),
            timing=SnapshotTiming(quiet_seconds=5, maximum_seconds=30, now_seconds=0.2),
            clock=self.clock,
            uniform=self._drawn,
        )
        self.writes = 0

    def _drawn(self, low: float, high: float) -> float:
        return self.draw(low, high)

    def add(self, name: str, *, epoch: int = 1) -> None:
        """Add a session that runs, with a store."""
        (self.directory / name).mkdir(exist_ok=True)
        self.sessions.append(
            StoreFiles(session_id=name, directory=self.directory / name, epoch=epoch)
        )
        self.write(name)

    def write(self, name: str, file: str = "store.db") -> None:
        """Change a store."""
        self.writes += 1
        path = self.directory / name / file
        path.write_bytes(b"x")
        os.utime(path, ns=(self.writes, self.writes))

    async def after(self, seconds: float) -> list[tuple[str, int]]:
        """Move the clock, look, and return the copies that this led to."""
        before = len(self.copies.made)
        self.clock.seconds += seconds
        await self.schedule.look()
        await eventually(lambda: not self.schedule._tasks or not self.copies.gate.is_set())
        return self.copies.made[before:]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return an empty bench."""
    return Bench(tmp_path)


async def test_a_store_is_copied_when_it_has_been_quiet(bench: Bench) -> None:
    """Once per change, in the main file or in the log beside it."""
    bench.add("shop", epoch=7)
    assert await bench.after(0) == []
    assert await bench.after(4.9) == []
    assert await bench.after(0.2) == [("shop", 7)]
    assert await bench.after(100) == []
    bench.write("shop", "store.db-wal")
    assert await bench.after(0) == []
    bench.write("shop", "store.db-wal")
    assert await bench.after(4) == []
    assert await bench.after(4) == []
    assert await bench.after(1.1) == [("shop", 7)]
    assert bench.schedule.behind_seconds == 0


async def test_a_store_that_is_never_quiet_is_copied_nevertheless(bench: Bench) -> None:
    """At the latest so long after the first change that no copy has."""
    bench.add("shop")
    made = []
    for second in range(100):
        bench.write("shop")
        made += [second for _ in await bench.after(1)]
    assert made == [30, 61, 92]


async def test_a_worker_that_starts_spreads_its_first_copies(bench: Bench) -> None:
    """What it finds may have been copied or not."""
    waits = iter([0.0, 25.0])
    bench.draw = lambda _low, high: next(waits) if high == 30 else 0.0
    bench.add("a")
    bench.add("b")
    await bench.after(0)
    assert await bench.after(6) == [("a", 1)]
    assert await bench.after(18) == []
    assert await bench.after(2) == [("b", 1)]


async def test_few_copies_are_made_at_once(bench: Bench) -> None:
    """The others wait, and those that ended meanwhile are not copied any more."""
    for name in ("a", "b", "c", "d", "e"):
        bench.add(name)
    await bench.after(0)
    bench.copies.gate.clear()
    await bench.after(6)
    await eventually(lambda: bench.copies.at_once == 2)
    bench.sessions = [files for files in bench.sessions if files.session_id != "e"]
    bench.copies.gate.set()
    await bench.after(0)
    assert bench.copies.most_at_once == 2
    assert sorted(name for name, _ in bench.copies.made) == ["a", "b", "c", "d"]


async def test_a_copy_that_failed_is_tried_again_later_and_later(bench: Bench) -> None:
    """With every pause drawn from a longer range, and the age of what is missing told."""
    bench.draw = lambda _low, high: high if high in {1, 2, 4} else 0.0
    bench.add("shop")
    bench.copies.away = True
    await bench.after(0)
    await bench.after(5)
    assert bench.schedule.behind_seconds == 5
    bench.copies.away = False
    bench.schedule._unavailable_until = 0
    bench.schedule._watched["shop"].not_before = bench.clock.seconds + 3
    assert await bench.after(2.9) == []
    assert bench.schedule.behind_seconds == pytest.approx(7.9)
    assert await bench.after(0.2) == [("shop", 1)]


async def test_a_store_that_is_away_is_not_asked_for_each_session(bench: Bench) -> None:
    """However many have changed: they share the pauses, and are all copied when it is back."""
    bench.schedule._outage._uniform = lambda _low, high: high
    names = [f"shop-{number}" for number in range(40)]
    for name in names:
        bench.add(name)
    bench.copies.away = True
    await bench.after(0)
    for _ in range(60):
        await bench.after(1)
    at_once = SnapshotTiming().at_once
    assert bench.copies.asked <= 6 * at_once  # after 5, 6, 8, 12, 20 and 36 seconds
    bench.copies.away = False
    made = [name for _ in range(90) for name, _epoch in await bench.after(1)]
    assert sorted(made) == sorted(names)


async def test_a_session_that_cannot_be_copied_holds_up_no_other(bench: Bench) -> None:
    """Its own files are at fault; that may look as if the store of copies were away."""
    bench.schedule._outage._uniform = lambda _low, high: high
    bench.copies.unusable = {"broken"}
    bench.add("broken")
    await bench.after(0)
    await bench.after(5)
    bench.add("shop")
    await bench.after(0)
    assert await bench.after(5) == [("shop", 1)]


async def test_what_changes_during_a_copy_is_copied_again(bench: Bench) -> None:
    """The copy may or may not have it."""
    bench.add("shop")
    await bench.after(0)
    bench.copies.gate.clear()
    await bench.after(6)
    await eventually(lambda: bench.copies.at_once == 1)
    bench.write("shop")
    bench.copies.gate.set()
    assert await bench.after(0) == [("shop", 1)]
    assert await bench.after(6) == [("shop", 1)]


async def test_now_waits_for_nobody_and_never_raises(bench: Bench) -> None:
    """Also for a session that does not run any more; afterwards nothing is missing."""
    bench.add("shop")
    await bench.after(0)
    directory = bench.directory / "shop"
    assert await bench.schedule.now("shop", directory, epoch=3)
    assert bench.copies.made == [("shop", 3)]
    assert await bench.after(6) == []
    bench.copies.away = True
    assert not await bench.schedule.now("shop", directory, epoch=3)
    bench.copies.gate.clear()
    assert not await bench.schedule.now("shop", directory, epoch=3)
    assert not await bench.schedule.now("nobody", bench.directory / "nobody", epoch=3)


async def test_a_copy_that_does_not_count_is_still_missing(bench: Bench) -> None:
    """Nobody is to believe that there is one."""
    bench.add("shop")
    bench.copies.outdated = True
    await bench.after(0)
    assert await bench.after(6) == []
    assert bench.schedule.behind_seconds == 6
    assert not await bench.schedule.now("shop", bench.directory / "shop", epoch=1)
    bench.copies.outdated = False
    assert await bench.after(60) == [("shop", 1)]


async def test_a_session_without_a_store_is_left_alone(bench: Bench) -> None:
    """Its store is in a database, or was just deleted."""
    bench.add("shop")
    (bench.directory / "shop" / "store.db").unlink()
    await bench.after(0)
    assert await bench.after(40) == []


async def test_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """As a service, with the real clock; a copy that hangs does not hold up the end."""
    bench = Bench(tmp_path)
    bench.add("shop")
    bench.copies.gate.clear()
    schedule = SnapshotSchedule(
        snapshots=bench.copies,
        running=lambda: bench.sessions,
        timing=SnapshotTiming(quiet_seconds=0.01, maximum_seconds=0.05, check_seconds=0.01),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(schedule.run(stop))
    await eventually(lambda: bench.copies.at_once == 1)
    stop.set()
    await running
    assert bench.copies.at_once == 0
    assert bench.copies.made == []
