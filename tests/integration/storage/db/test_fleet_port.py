"""Who has room and whose sessions are orphans is told alike by the database and in memory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from gateway_worker.sessions.ownership.ports import DeadWorkers
from gateway_worker.sessions.ports import SessionRow, SessionStore
from gateway_worker.storage.db import Database, PostgresSessionStore, PostgresWorkerStore
from tests.integration.storage.db.support import WORKER, registered, session_row, value
from tests.support.fleet import DAY, HOUR, MemberWorker, MemoryFleet

Change = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A fleet, and what may become of its workers.

    Attributes:
        sessions: Its sessions: `s` and `t` of WORKER, which has no row yet.
        workers: Those that are gone.
        enter: Lets a worker begin, with a capacity.
        drain: Lets it take no more.
        be_late: Lets it be late with its lease.
        end: Ends its lease, so many seconds ago.
        link: Gives a session an account.
    """

    sessions: SessionStore
    workers: DeadWorkers
    enter: Callable[[str, int], Awaitable[object]]
    drain: Change
    be_late: Change
    end: Callable[[str, float], Awaitable[object]]
    link: Change


def in_memory() -> Place:
    """Return a fleet of tests."""
    fleet = MemoryFleet(session_row("s", epoch=1), session_row("t", epoch=1), lease_seconds=15.0)

    async def enter(name: str, capacity: int) -> None:
        fleet.workers[name] = MemberWorker(capacity=capacity)

    async def drain(name: str) -> None:
        fleet.workers[name].draining = True

    async def be_late(name: str) -> None:
        fleet.workers[name].is_late = True

    async def end(name: str, seconds: float) -> None:
        fleet.workers[name].gone_seconds = seconds

    async def link(session_id: str) -> None:
        fleet.link(session_id)

    return Place(
        sessions=fleet,
        workers=fleet,
        enter=enter,
        drain=drain,
        be_late=be_late,
        end=end,
        link=link,
    )


def in_database(database: Database) -> Place:
    """Return a real one."""

    async def update(name: str, values: str, table: str = "workers") -> None:
        statement = f"UPDATE {table} SET {values} WHERE id = '{name}'"
        await value(database, f"{statement} RETURNING 1")

    async def enter(name: str, capacity: int) -> None:
        await registered(database, name, capacity=capacity)

    async def be_late(name: str) -> None:
        await update(name, "lease_expires_at = now() + make_interval(secs => lease_seconds / 3)")

    async def end(name: str, seconds: float) -> None:
        # Without the time that a database which has just started gives to who has a lease.
        ended = f"lease_expires_at = now() - make_interval(secs => {seconds})"
        await update(name, f"{ended}, lease_seconds = 0")

    async def link(session_id: str) -> None:
        account = "account = jsonb_build_object('jid', '1@s.whatsapp.net')"
        await update(session_id, account, "sessions")

    return Place(
        sessions=PostgresSessionStore(database=database),
        workers=PostgresWorkerStore(
            database=database, worker_id=WORKER, disk_id=None, lease_seconds=15.0
        ),
        enter=enter,
        drain=lambda name: update(name, "draining = true"),
        be_late=be_late,
        end=end,
        link=link,
    )


@pytest.fixture(params=["database", "memory"])
def place(request: pytest.FixtureRequest, database: Database) -> Place:
    """Return a fleet without workers."""
    return in_memory() if request.param == "memory" else in_database(database)


def names(rows: "list[SessionRow] | tuple[SessionRow, ...]") -> list[str]:
    """Return which sessions they are."""
    return [row.session_id for row in rows]


async def add(place: Place, worker: str, count: int) -> None:
    """Give a worker more sessions."""
    for number in range(count):
        assert await place.sessions.create(session_row(f"{worker}{number}", worker_id=worker))


async def test_the_least_full_worker_with_room_is_named(place: Place) -> None:
    """The full, the draining and the dead count for nothing; who is late is the last choice."""
    assert await place.sessions.place(without=WORKER) is None
    assert await place.sessions.room() == 0
    await place.enter(WORKER, 50)
    for name, capacity, held in (("a", 10, 5), ("b", 4, 1), ("c", 1, 1), ("d", 2, 0), ("e", 9, 0)):
        await place.enter(name, capacity)
        await add(place, name, held)
    await place.drain("d")
    await place.end("e", 1)

    assert await place.sessions.place(without="nobody") == WORKER
    assert await place.sessions.place(without=WORKER) == "b"
    assert await place.sessions.room() == 48 + 5 + 3
    every = ("a", "b", "c", "d", "e", "nobody")
    assert [name for name in every if await place.sessions.takes(name)] == ["a", "b"]
    await place.be_late("b")
    assert await place.sessions.place(without=WORKER) == "a"
    assert await place.sessions.place(without="a") == WORKER


async def test_orphans_are_shared_so_that_all_are_equally_full(place: Place) -> None:
    """Rounded up, so that nothing is left; who does not take any has no share."""
    await add(place, "gone", 8)
    assert await place.sessions.orphans() == 10
    assert await place.sessions.fair_share("a") == 0
    for name, capacity, held in (("a", 10, 3), ("b", 20, 0), ("c", 10, 0), ("d", 10, 0)):
        await place.enter(name, capacity)
        await add(place, name, held)
    await place.drain("c")
    await place.be_late("d")
    shares = {name: await place.sessions.fair_share(name) for name in ("a", "b", "c", "d", "e")}
    assert shares == {"a": 2, "b": 9, "c": 0, "d": 0, "e": 0}


async def test_who_has_room_takes_the_oldest_orphans(place: Place) -> None:
    """Under the next epoch, with a marker; without those that are linked, if so asked."""
    await place.enter("a", 3)
    await place.link("s")
    for count, linked, expected in ((9, False, ["t"]), (0, True, []), (9, True, ["s"])):
        taken = await place.sessions.take_over("a", limit=count, linked=linked)
        assert names(list(taken)) == expected
    row = await place.sessions.get("s")
    assert row is not None
    assert (row.worker_id, row.epoch) == ("a", 2)
    assert [(one.epoch, one.queue_of) for one in row.pending] == [(2, WORKER)]
    assert await place.sessions.orphans() == 0
    await add(place, "gone", 2)
    assert names(list(await place.sessions.take_over("a", limit=9))) == ["gone0"], "it is full"


async def test_the_draining_the_dead_and_the_unknown_take_nothing(place: Place) -> None:
    """And nobody takes from who lives."""
    for name in ("draining", "dead", "living"):
        await place.enter(name, 9)
    await place.drain("draining")
    await place.end("dead", 1)
    for name in ("draining", "dead", "nobody"):
        assert list(await place.sessions.take_over(name, limit=9)) == []
    await place.enter(WORKER, 9)
    assert await place.sessions.orphans() == 0
    assert list(await place.sessions.take_over("living", limit=9)) == []


async def test_a_session_is_stranded_when_its_worker_is_gone_for_long(place: Place) -> None:
    """Or has no row; by their names, as many as were asked for."""
    await add(place, "gone", 1)
    await place.enter(WORKER, 9)
    await place.end(WORKER, 60)
    for after, limit, expected in ((59, 9, ["gone0", "s", "t"]), (61, 9, ["gone0"]), (0, 1, None)):
        found = names(list(await place.sessions.stranded(after_seconds=after, limit=limit)))
        assert found == (expected or ["gone0"])
    assert await place.sessions.strand("s", "a", after_seconds=61) is None
    assert await place.sessions.strand("nowhere", "a", after_seconds=0) is None
    assert await place.sessions.strand("s", "a", after_seconds=59) == await place.sessions.get("s")


async def test_one_of_the_living_is_the_first(place: Place) -> None:
    """By its name."""
    assert not await place.sessions.is_first("b")
    for name in ("a", "b", "c"):
        await place.enter(name, 1)
    await place.end("a", 1)
    assert [name for name in ("a", "b", "c") if await place.sessions.is_first(name)] == ["b"]


async def test_the_dead_are_named_as_long_as_there_may_be_something_in_their_queues(
    place: Place,
) -> None:
    """Because they own sessions, because a marker is awaited from them, or for an hour."""
    assert place.workers.lease_seconds == 15.0
    for name in ("a", "lately", "long", "old"):
        await place.enter(name, 9)
    for name, seconds in (("lately", HOUR - 60), ("long", HOUR + 60), ("old", DAY + 60)):
        await place.end(name, seconds)
    await add(place, "long", 1)
    assert list(await place.workers.dead_with_leftovers()) == ["lately", "long", WORKER]
    await place.sessions.take_over("a", limit=9)
    assert list(await place.workers.dead_with_leftovers()) == ["lately", "long", WORKER]
    (gone,) = await place.workers.long_gone()
    assert [await place.workers.forget(gone) for _ in range(2)] == [True, False]
    assert list(await place.workers.long_gone()) == []
