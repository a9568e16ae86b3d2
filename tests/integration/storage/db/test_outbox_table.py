"""The queue of events on a real PostgreSQL: what waits, what is confirmed, what is old."""

import asyncio
from datetime import UTC, datetime

from gateway_worker.outbox.ports import Backlog
from gateway_worker.sessions.changes import PAGE_BYTES, is_last_page
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import (
    OTHER,
    WORKER,
    count,
    expire,
    failed,
    finished,
    handed,
    message,
    registered,
    rows_of,
    session_row,
    value,
)


async def test_what_waits_is_read_in_order_page_by_page(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Exactly as it was committed, and only this worker's."""
    rows = rows_of(await changes.commit([*map(message, range(5)), failed("c")]))
    other = PostgresChangeStore(database=database, worker_id=OTHER)
    await other.commit([message(1, session="t")])

    first = await outbox.pending(after=0, limit=4)
    second = await outbox.pending(after=first[-1].outbox_id, limit=4)
    assert [*first, *second] == rows
    assert (await outbox.backlog()).depth == len(rows)


async def test_of_large_events_few_are_read_at_a_time(
    changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Whoever reads on has them all; a page that is cut for its size is not taken for the last."""
    words = "x" * (PAGE_BYTES // 5)
    rows = rows_of(await changes.commit([message(number, words=words) for number in range(7)]))

    first = await outbox.pending(after=0, limit=100)
    rest = await outbox.pending(after=first[-1].outbox_id, limit=100)
    assert [*first, *rest] == rows
    assert (len(first), len(rest)) == (5, 2)
    assert not is_last_page(first, limit=100)
    assert is_last_page(rest, limit=100)
    assert not is_last_page(rest, limit=2)


async def test_what_is_marked_waits_no_longer(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Marks may be repeated and may name what is gone; the rows stay for a replay."""
    rows = rows_of(await changes.commit([message(n) for n in range(4)]))
    ids = [row.outbox_id for row in rows]
    await outbox.mark_published(ids[:2])
    marked = await value(database, "SELECT max(published_at) FROM outbox")
    await outbox.mark_published([*ids[:3], 10**12])
    await outbox.mark_published([])

    assert list(await outbox.pending(after=0, limit=10)) == rows[3:]
    assert (await outbox.backlog()).depth == 1
    assert await value(database, "SELECT min(published_at) FROM outbox") == marked
    assert await count(database, "outbox") == 4


async def test_the_oldest_that_waits_is_known(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Its age is the database's business; without any there is none."""
    assert await outbox.backlog() == Backlog()
    rows = rows_of(await changes.commit([message(n) for n in range(2)]))
    await value(
        database,
        "UPDATE outbox SET created_at = now() - make_interval(secs => 90)"
        f" WHERE id = {rows[0].outbox_id} RETURNING id",
    )

    waiting = await outbox.backlog()
    await outbox.mark_published([rows[0].outbox_id])
    left = await outbox.backlog()

    assert waiting.depth == 2
    assert 90 <= waiting.oldest_seconds < 150
    assert left.depth == 1
    assert left.oldest_seconds < 60


async def test_events_of_a_deleted_session_go_when_they_are_marked(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Also if the answer to the mark was lost and it is repeated."""
    rows = rows_of(await changes.commit([message(1), finished("d", delete=True)]))
    ids = [row.outbox_id for row in rows]
    # as a connection lost between the two statements leaves it
    await value(database, "UPDATE outbox SET published_at = now() RETURNING id")
    await outbox.mark_published(ids)

    assert await count(database, "outbox") == 0


async def test_a_deletion_beside_the_relays_marks_leaves_nothing(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Whichever comes first."""
    rows = rows_of(await changes.commit([message(n) for n in range(60)]))
    async with asyncio.TaskGroup() as tasks:
        deletion = tasks.create_task(changes.commit([finished("d", delete=True)]))
        for n in range(6):
            tasks.create_task(outbox.mark_published([row.outbox_id for row in rows[n::6]]))
    answers = deletion.result()
    await outbox.mark_published([row.outbox_id for row in rows_of(answers)])

    assert await count(database, "outbox") == 0


async def test_old_events_are_pruned_in_bites(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Never those that wait, and never those that are young."""
    rows = rows_of(await changes.commit([message(n) for n in range(8)]))
    ids = [row.outbox_id for row in rows]
    await outbox.mark_published(ids[:6])
    old = f"UPDATE outbox SET published_at = now() - interval '2 h' WHERE id < {ids[5]} RETURNING 1"
    await value(database, old)
    await value(database, "UPDATE outbox SET created_at = now() - interval '9 d' RETURNING 1")

    pruned = [await outbox.prune(keep_seconds=3600, limit=2) for _ in range(4)]
    assert pruned == [2, 2, 1, 0]
    left = await value(database, "SELECT array_agg(id ORDER BY id) FROM outbox")
    assert left == ids[5:]


async def test_workers_prune_side_by_side(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Each row once, none waiting for another."""
    rows = rows_of(await changes.commit([message(n) for n in range(40)]))
    await outbox.mark_published([row.outbox_id for row in rows])
    pruned = await asyncio.gather(*(outbox.prune(keep_seconds=-60, limit=10) for _ in range(4)))

    assert sum(pruned) + await count(database, "outbox") == 40
    while await outbox.prune(keep_seconds=-60, limit=10):
        pass
    assert await count(database, "outbox") == 0


async def test_what_waits_of_some_sessions(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """In order and page by page, and only what is this worker's."""
    batch = [message(n, session=name) for n in range(3) for name in ("s", "t")]
    rows = rows_of(await changes.commit(batch))
    other = PostgresChangeStore(database=database, worker_id=OTHER)
    await other.commit([message(9)])
    await outbox.mark_published([rows[0].outbox_id])

    mine = [row for row in rows[1:] if row.session_id == "s"]
    assert list(await outbox.pending_of(["s"], after=0, limit=10)) == mine
    assert list(await outbox.pending_of(["s"], after=mine[0].outbox_id, limit=10)) == mine[1:]
    assert list(await outbox.pending_of(["t", "s"], after=0, limit=4)) == rows[1:5]
    assert list(await outbox.pending_of([], after=0, limit=10)) == []


async def test_events_that_nobody_else_will_publish_are_adopted(
    database: Database, sessions: PostgresSessionStore, outbox: PostgresOutboxStore
) -> None:
    """Of dead workers' events those of no session, and those of sessions that are ours."""
    for name in (WORKER, OTHER, "dead"):
        await registered(database, name)
    await sessions.create(session_row("u", worker_id=OTHER))
    dead = PostgresChangeStore(database=database, worker_id="dead")
    alive = PostgresChangeStore(database=database, worker_id=OTHER)
    await alive.commit([failed("a"), message(1, session="t")])
    batch = [message(1), failed("b"), message(2, session="u"), failed("c")]
    rows = rows_of(await dead.commit(batch))
    assert await outbox.adopt_strays() == 0
    await expire(database, "dead")

    assert await outbox.adopt_strays() == 3
    assert list(await outbox.pending(after=0, limit=10)) == [rows[0], rows[1], rows[3]]
    assert await outbox.adopt_strays() == 0
    theirs = PostgresOutboxStore(database=database, worker_id=OTHER)
    assert await theirs.adopt_strays() == 1


async def test_strays_of_one_session_are_adopted_together(
    database: Database, changes: PostgresChangeStore
) -> None:
    """By one of several workers that come at once, so that they stay in order."""
    for name in (WORKER, "a", "b", "c"):
        await registered(database, name)
    await changes.commit([message(n) for n in range(20)] + [finished("d", delete=True)])
    await expire(database)
    adopters = [PostgresOutboxStore(database=database, worker_id=name) for name in ("a", "b", "c")]
    adopted = await asyncio.gather(*(adopter.adopt_strays() for adopter in adopters))
    assert sorted(adopted) == [0, 0, 21]


async def test_what_was_published_can_be_read_again(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """In order and page by page, from a number or a time on, whoever has published it."""
    await registered(database, OTHER)
    rows = rows_of(await changes.commit([message(n) for n in range(4)]))
    await outbox.mark_published([row.outbox_id for row in rows])
    await value(database, "UPDATE outbox SET created_at = '2026-01-01' RETURNING 1")
    noise = await changes.commit([failed("c", session="s"), message(1, session="t"), message(9)])
    await outbox.mark_published([row.outbox_id for row in rows_of(noise)[:2]])
    await changes.commit([handed(OTHER)])
    theirs = PostgresOutboxStore(database=database, worker_id=OTHER)
    moved = await theirs.pending(after=0, limit=10)
    await theirs.mark_published([row.outbox_id for row in moved])
    everything = [*rows, *moved]

    first = await outbox.retained("s", limit=4)
    rest = await outbox.retained("s", limit=4, after_id=first[-1].outbox_id)
    assert [*first, *rest] == everything
    assert [row.sequence for row in everything] == [1, 2, 3, 4, 5, 6]
    assert list(await outbox.retained("s", from_sequence=4, limit=9)) == everything[3:]
    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert list(await outbox.retained("s", since=since, limit=9)) == everything[4:]
    assert list(await outbox.retained("s", since=since, from_sequence=6, limit=9)) == [moved[-1]]
    assert list(await outbox.retained("unknown", limit=9)) == []


async def test_what_waits_and_what_is_to_be_forgotten_is_not_read_again(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Neither counts as retained."""
    rows = rows_of(await changes.commit([message(1), message(2)]))
    await outbox.mark_published([rows[0].outbox_id])
    assert list(await outbox.retained("s", limit=9)) == rows[:1]
    await value(database, "UPDATE outbox SET forget = true RETURNING 1")
    assert list(await outbox.retained("s", limit=9)) == []
