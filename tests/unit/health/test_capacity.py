"""A full worker says once that commands wait for room, and once that they do no longer."""

import asyncio
from functools import partial

from gateway_contracts import WorkerCapacity
from gateway_worker.errors import DependencyError
from gateway_worker.health.capacity import CapacityWatch, Room
from tests.support.eventually import eventually
from tests.support.publications import MemoryPublications


class Fleet(MemoryPublications):
    """Stands for broker, database and sessions: as the test says."""

    def __init__(self, *, waiting: int = 0, room: int = 0, full: bool = True) -> None:
        super().__init__()
        self.waiting = waiting
        self.room = room
        self.full = full
        self.database_away = False

    @property
    def said(self) -> list[tuple[int, int]]:
        """What was announced."""
        events = [event for event in self.told if isinstance(event, WorkerCapacity)]
        assert {(event.subject, event.source) for event in events} <= {("w", "/workers/w")}
        return [(event.data.waiting_commands, event.data.free_slots) for event in events]

    async def ask_waiting(self) -> int:
        """Be the broker."""
        if self.is_away:
            raise DependencyError("the broker is unavailable")
        return self.waiting

    async def ask_room(self) -> int:
        """Be the database."""
        if self.database_away:
            raise DependencyError("the database is unavailable")
        return self.room

    def has_said(self, times: int) -> bool:
        """Whether so many announcements were made."""
        return len(self.said) == times

    def watch(self, *, interval_seconds: float = 3600) -> CapacityWatch:
        """Make a watch over this fleet."""
        return CapacityWatch(
            worker_id="w",
            is_full=lambda: self.full,
            waiting=self.ask_waiting,
            free=self.ask_room,
            events=self,
            interval_seconds=interval_seconds,
        )


async def test_it_is_said_once_when_it_begins_and_once_when_it_ends() -> None:
    """However often the figures change in between."""
    fleet = Fleet()
    watch = fleet.watch()
    for waiting, said in ((0, []), (3, [(3, 0)]), (5, [(3, 0)]), (0, [(3, 0), (0, 0)])):
        fleet.waiting = waiting
        await watch.look()
        assert fleet.said == said
    assert watch.last == Room(waiting=0, free=0)


async def test_room_anywhere_ends_it() -> None:
    """The commands are on their way then."""
    fleet = Fleet(waiting=2)
    watch = fleet.watch()
    await watch.look()
    fleet.room = 10
    await watch.look()
    assert fleet.said == [(2, 0), (2, 10)]


async def test_a_worker_that_has_room_leaves_it_to_the_full_ones() -> None:
    """But one that has said so takes it back, also when it is not full any more."""
    fleet = Fleet(waiting=2, full=False)
    watch = fleet.watch()
    await watch.look()
    assert fleet.said == []
    fleet.full = True
    await watch.look()
    fleet.full, fleet.room, fleet.waiting = False, 1, 0
    await watch.look()
    assert fleet.said == [(2, 0), (0, 1)]


async def test_commands_that_somebody_has_room_for_are_nothing_to_tell() -> None:
    """They wait for a moment only."""
    fleet = Fleet(waiting=2, room=1)
    await fleet.watch().look()
    assert fleet.said == []


async def test_what_cannot_be_asked_or_said_comes_later() -> None:
    """An outage is neither the beginning nor the end of a lack."""
    fleet = Fleet(waiting=2)
    watch = fleet.watch()
    await watch.look()
    fleet.database_away, fleet.waiting = True, 0
    await watch.look()
    assert fleet.said == [(2, 0)]
    assert watch.last == Room(waiting=2, free=0)
    fleet.database_away, fleet.is_away = False, True
    await watch.look()
    fleet.is_away = False
    await watch.look()
    assert fleet.said == [(2, 0), (0, 0)]


async def test_it_looks_again_and_again_until_it_is_stopped() -> None:
    """And leaves at once then."""
    fleet, stop = Fleet(), asyncio.Event()
    running = asyncio.create_task(fleet.watch(interval_seconds=0.001).run(stop))
    for waiting, count in ((1, 1), (0, 2), (4, 3)):
        fleet.waiting = waiting
        await eventually(partial(fleet.has_said, count))
    stop.set()
    await running
