"""Sessions of dead workers on a real PostgreSQL: taken once, in full, and by nobody too early."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import PendingMarker
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresChangeStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import (
    NOW,
    OTHER,
    WORKER,
    expire,
    message,
    registered,
    rows_of,
    session_row,
    value,
    waiting,
)
from tests.support.eventually import eventually


@pytest.fixture
async def other_database(database_url: str) -> AsyncIterator[Database]:
    """Another worker's connections to the same database."""
    async with Database(settings=DatabaseSettings(url=SecretStr(database_url))) as other:
        yield other


async def many(sessions: PostgresSessionStore, count: int, worker: str = WORKER) -> set[str]:
    """Create sessions; returns their ids."""
    ids = {f"{worker}{n:02d}" for n in range(count)}
    for name in sorted(ids):
        await sessions.create(session_row(name, worker_id=worker))
    return ids


async def test_what_a_taker_gets(
    database: Database,
    sessions: PostgresSessionStore,
    changes: PostgresChangeStore,
    outbox: PostgresOutboxStore,
) -> None:
    """The next epoch, a marker to wait for, and the events that are unpublished, in order."""
    await registered(database)
    await registered(database, OTHER)
    rows = rows_of(await changes.commit([message(n) for n in range(4)]))
    elsewhere = rows_of(await changes.commit([message(1, session="t")]))
    await outbox.mark_published([rows[0].outbox_id])
    await value(database, "UPDATE sessions SET worker_id = 'w2' WHERE id = 't' RETURNING 1")
    await registered(database, "w2")
    await expire(database)
    before = await sessions.get("s")
    assert before is not None
    assert await sessions.orphans() == 1
    (taken,) = await sessions.take_over(OTHER, limit=10)

    assert taken == await sessions.get("s")
    assert (taken.worker_id, taken.epoch) == (OTHER, before.epoch + 1)
    assert taken.pending == (PendingMarker(epoch=2, queue_of=WORKER),)
    theirs = PostgresOutboxStore(database=database, worker_id=OTHER)
    assert list(await theirs.pending(after=0, limit=10)) == rows[1:]
    assert list(await outbox.pending(after=0, limit=10)) == elsewhere
    assert await sessions.orphans() == 0
    assert list(await sessions.take_over(OTHER, limit=10)) == []


async def test_the_former_owner_is_fenced(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """Whatever it still has on its way."""
    await registered(database)
    await registered(database, OTHER)
    await expire(database)
    await sessions.take_over(OTHER, limit=10)

    assert [answer.fenced for answer in await changes.commit([message(1)])] == [True]
    assert await sessions.claim("s", WORKER) is None


async def test_the_oldest_come_first_running_or_not(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """As many as are asked for, of every dead worker, and never those of live ones or of nobody."""
    for name, days, worker in (("a", 1, "x"), ("b", 3, "y"), ("c", 2, "x"), ("d", 9, "live")):
        row = session_row(
            name,
            created_at=NOW - timedelta(days=days),
            worker_id=worker,
            desired=DesiredState.STOPPED if name == "b" else DesiredState.RUNNING,
        )
        await sessions.create(row)
    await sessions.create(session_row("free", worker_id=None))
    for worker in (WORKER, OTHER, "x", "y", "live"):
        await registered(database, worker)
    await expire(database, "x")
    await expire(database, "y")
    taken = [*await sessions.take_over(OTHER, limit=2), *await sessions.take_over(OTHER, limit=2)]

    assert [row.session_id for row in taken] == ["b", "c", "a"]
    assert taken[0].desired is DesiredState.STOPPED
    assert list(await sessions.take_over(OTHER, limit=0)) == []


async def test_sessions_of_a_worker_without_a_row_are_orphans(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """As if its lease had ended long ago; from then on it has a row, so that it can be attended."""
    taker = await registered(database, OTHER)
    assert await sessions.orphans() == 2
    taken = await sessions.take_over(OTHER, limit=10)

    assert {row.session_id for row in taken} == {"s", "t"}
    assert {row.pending for row in taken} == {(PendingMarker(epoch=2, queue_of=WORKER),)}
    assert list(await taker.dead_with_leftovers()) == [WORKER]


async def test_what_is_fair(database: Database, sessions: PostgresSessionStore) -> None:
    """So many that all who take some are equally full, rounded up so that nothing is left."""
    await registered(database)
    await expire(database)
    await many(sessions, 18)  # with "s" and "t" 20
    for name, capacity, held in (("a", 40, 5), ("b", 40, 0), ("c", 20, 2), ("d", 20, 9)):
        await registered(database, name, capacity=capacity)
        await many(sessions, held, name)
    await (await registered(database, "leaving")).drain()
    fair = {name: await sessions.fair_share(name) for name in ("a", "b", "c", "d", "leaving")}
    assert fair == {"a": 7, "b": 12, "c": 4, "d": 0, "leaving": 0}, "of 36 in 120: 12, 12, 6, 6"

    late = (
        "UPDATE workers SET lease_expires_at = now() + 0.4 * make_interval(secs => lease_seconds)"
    )
    await value(database, f"{late} WHERE id = 'b' RETURNING 1")
    assert await sessions.fair_share("b") == 0, "it may have died"
    assert await sessions.fair_share("a") == 13, "of 36 in 80: 18"


@pytest.mark.parametrize("round_", range(3))
async def test_takers_at_once_share_without_overlap(
    database: Database, other_database: Database, sessions: PostgresSessionStore, round_: int
) -> None:
    """Each session goes to one of them; none gets more than it has room for."""
    orphans = await many(sessions, 24) | {"s", "t"}
    await registered(database)
    capacities = {"a": 5, "b": 7, "c": 50}
    for name, capacity in capacities.items():
        await registered(database, name, capacity=capacity)
    await many(sessions, 3, "a")
    await expire(database)
    stores = [sessions, PostgresSessionStore(database=other_database)]
    calls = [(stores[n % 2], name) for n in range(3) for name in capacities]
    answers = await asyncio.gather(*(store.take_over(name, limit=4) for store, name in calls))

    taken = [(row.session_id, row.worker_id) for rows in answers for row in rows]
    assert len({name for name, _ in taken}) == len(taken)
    for name, capacity in capacities.items():
        assert len(await sessions.owned_by(name)) <= capacity
    while rest := await sessions.take_over("c", limit=4):
        taken += [(row.session_id, row.worker_id) for row in rest]
    assert {name for name, _ in taken} == orphans
    assert Counter(worker for _, worker in taken)["a"] <= 2
    epochs = "SELECT array_agg(DISTINCT epoch) FROM sessions WHERE id NOT LIKE 'a%'"
    assert await value(database, epochs) == [2]


async def test_a_full_a_draining_and_a_dead_worker_take_nothing(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """Nor does one that is unknown."""
    await registered(database)
    await expire(database)
    await registered(database, "full", capacity=1)
    await many(sessions, 1, "full")
    await (await registered(database, "leaving")).drain()
    await registered(database, "dead")
    await expire(database, "dead")

    for name in ("full", "leaving", "dead", "unknown"):
        assert list(await sessions.take_over(name, limit=10)) == []
    assert {row.session_id for row in await sessions.owned_by(WORKER)} == {"s", "t"}


async def test_a_renewed_lease_cannot_be_taken(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """One that has ended can be renewed as long as nobody has taken anything, and afterwards."""
    owner = await registered(database)
    await registered(database, OTHER)
    await expire(database)
    assert await owner.renew()
    assert list(await sessions.take_over(OTHER, limit=10)) == []

    await expire(database)
    assert len(await sessions.take_over(OTHER, limit=1)) == 1
    assert await owner.renew()
    assert len(await sessions.owned_by(WORKER)) == 1
    assert list(await sessions.take_over(OTHER, limit=10)) == []


async def test_a_renewal_waits_for_a_takeover_that_is_under_way(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """Or a worker that is back would believe in sessions that are just being taken."""
    owner = await registered(database)
    await registered(database, OTHER)
    await expire(database)
    async with database.transaction("holding a session's events") as holder:
        await holder.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        taking = asyncio.create_task(sessions.take_over(OTHER, limit=10))
        await eventually(lambda: waiting(database, "outbox"))
        renewing = asyncio.create_task(owner.renew())
        await eventually(lambda: waiting(database, "UPDATE workers"))
        assert not renewing.done()
    assert len(await taking) == 2
    assert await renewing
    assert list(await sessions.owned_by(WORKER)) == []


async def test_a_session_with_a_commit_under_way_is_left_for_later(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """The others are taken at once."""
    await registered(database)
    await registered(database, OTHER)
    await expire(database)
    async with database.transaction("holding a row") as holder:
        await holder.execute("SELECT FROM sessions WHERE id = 's' FOR UPDATE")
        taken = await sessions.take_over(OTHER, limit=10)
        assert [row.session_id for row in taken] == ["t"]
    taken = await sessions.take_over(OTHER, limit=10)
    assert [row.session_id for row in taken] == ["s"]


async def test_a_database_that_has_just_started_waits_for_renewals(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """For the time of each worker's beat; nobody counts as gone meanwhile."""
    await registered(database)
    other = await registered(database, OTHER)
    await expire(database)
    await value(database, "UPDATE workers SET lease_seconds = 1e9 WHERE id = 'w' RETURNING 1")

    assert list(await sessions.take_over(OTHER, limit=10)) == []
    assert await sessions.orphans() == 0
    assert list(await other.dead_with_leftovers()) == []


async def test_a_worker_that_was_cut_off_itself_waits_for_the_others(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """For the length of its lease: they may have been cut off with it, and come back later."""
    await registered(database)
    other = await registered(database, OTHER)
    await expire(database)
    await expire(database, OTHER)
    await value(database, "UPDATE workers SET lease_seconds = 900 WHERE id = 'other' RETURNING 1")
    assert await other.renew()
    assert list(await sessions.take_over(OTHER, limit=10)) == []

    long_ago = "UPDATE workers SET resumed_at = now() - interval '901 s' WHERE id = 'other'"
    await value(database, f"{long_ago} RETURNING 1")
    assert await other.renew()
    assert len(await sessions.take_over(OTHER, limit=10)) == 2


async def test_markers_are_kept_until_they_have_come(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """Over any number of owners, the oldest first; only the owner's epoch may let one go."""
    for owner in (WORKER, "b", "c"):
        await registered(database, owner)
    await expire(database)
    await sessions.take_over("b", limit=1)
    await expire(database, "b")
    (row,) = await sessions.take_over("c", limit=1)
    name = row.session_id
    first, second = (
        PendingMarker(epoch=2, queue_of=WORKER),
        PendingMarker(epoch=3, queue_of="b"),
    )
    assert row.pending == (first, second)

    assert not await sessions.markers_passed(name, epoch=2, up_to=2)
    assert not await sessions.markers_passed("unknown", epoch=3, up_to=2)
    assert await sessions.markers_passed(name, epoch=3, up_to=1)
    claimed = await sessions.claim(name, "c")
    assert claimed is not None
    assert claimed.pending == (first, second)
    for _ in range(2):
        assert await sessions.markers_passed(name, epoch=4, up_to=2)
        found = await sessions.get(name)
        assert found is not None
        assert found.pending == (second,)
    left = PendingMarker(epoch=3, queue_of="b", left=True)
    for epoch in (3, 2, 3):
        await sessions.marker_left(name, marker_epoch=epoch)
        found = await sessions.get(name)
        assert found is not None
        assert found.pending == (left,)
    assert await sessions.markers_passed(name, epoch=4, up_to=3)
    found = await sessions.get(name)
    assert found is not None
    assert found.pending == ()


async def test_where_there_is_room(database: Database, sessions: PostgresSessionStore) -> None:
    """The least full live worker is named; the full, draining and dead ones count for nothing."""
    assert await sessions.place(without=WORKER) is None
    assert await sessions.room() == 0
    await registered(database, WORKER, capacity=50)
    for name, capacity, held in (("a", 10, 5), ("b", 4, 1), ("c", 1, 1), ("d", 2, 0), ("e", 9, 0)):
        await registered(database, name, capacity=capacity)
        await many(sessions, held, name)
    await (await registered(database, "d", capacity=2)).drain()
    await expire(database, "e")

    assert await sessions.place(without="nobody") == WORKER
    assert await sessions.place(without=WORKER) == "b"
    assert await sessions.room() == 48 + 5 + 3
    taking = [name for name in ("a", "b", "c", "d", "e", "nobody") if await sessions.takes(name)]
    assert taking == ["a", "b"]
    for n in range(2):
        await sessions.create(session_row(f"more{n}", worker_id="b"))
    assert await sessions.place(without=WORKER) == "a"
    assert await sessions.place(without="a") == WORKER


async def test_a_worker_that_is_late_with_its_lease_is_the_last_choice(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """It may have died a moment ago; its lease tells nobody yet."""
    for name, held in (("a", 0), ("b", 3)):
        await registered(database, name, capacity=4)
        await many(sessions, held, name)
    assert await sessions.place(without=WORKER) == "a"
    late = "UPDATE workers SET lease_expires_at = now() + make_interval(secs => lease_seconds / 3)"
    await value(database, f"{late} WHERE id = 'a' RETURNING id")

    assert await sessions.place(without=WORKER) == "b"
    assert await sessions.place(without="b") == "a"


async def test_without_copies_only_what_is_not_linked_is_taken(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """A session with an account has a device store where its worker was."""
    await registered(database)
    await registered(database, OTHER)
    await value(
        database,
        "UPDATE sessions SET account = jsonb_build_object('jid', '1@s.whatsapp.net')"
        " WHERE id = 's' RETURNING 1",
    )
    await expire(database)
    taken = await sessions.take_over(OTHER, limit=10, linked=False)
    assert "s" not in {row.session_id for row in taken}
    linked = await sessions.take_over(OTHER, limit=10)
    assert {row.session_id for row in linked} == {"s"}


async def test_a_stranded_session_keeps_its_owner_and_its_events_go_to_who_tells_them(
    database: Database,
    sessions: PostgresSessionStore,
    changes: PostgresChangeStore,
    outbox: PostgresOutboxStore,
) -> None:
    """Not before its worker's lease has been over for long enough."""
    await registered(database)
    await registered(database, OTHER)
    rows = rows_of(await changes.commit([message(1)]))
    assert await sessions.strand("s", OTHER, after_seconds=0) is None
    await expire(database)
    assert await sessions.strand("s", OTHER, after_seconds=3600) is None
    assert list(await sessions.stranded(after_seconds=3600, limit=10)) == []

    stranded = await sessions.strand("s", OTHER, after_seconds=0)
    assert stranded == await sessions.get("s")
    assert stranded is not None
    assert (stranded.worker_id, stranded.epoch) == (WORKER, 1)
    assert stranded in await sessions.stranded(after_seconds=0, limit=10)
    theirs = PostgresOutboxStore(database=database, worker_id=OTHER)
    assert list(await theirs.pending(after=0, limit=10)) == rows
    assert list(await outbox.pending(after=0, limit=10)) == []
    assert (await sessions.is_first(OTHER), await sessions.is_first(WORKER)) == (True, False)
