"""The queue of events on a real PostgreSQL: what waits, what is confirmed, what is old."""

import asyncio

from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresOutboxStore
from tests.integration.storage.db.support import (
    OTHER,
    count,
    failed,
    finished,
    message,
    rows_of,
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
    assert await outbox.depth() == len(rows)


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
    assert await outbox.depth() == 1
    assert await value(database, "SELECT min(published_at) FROM outbox") == marked
    assert await count(database, "outbox") == 4


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
