"""What is old is deleted in bites; what is young, unfinished or locked stays."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway_worker.outbox.pruning import Pruner, Shelf
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
)
from gateway_worker.storage.db.retention import PostgresHistory
from tests.integration.storage.db.support import (
    CHAT,
    WORKER,
    count,
    finished,
    message,
    receipt,
    received,
    value,
)
from tests.support.databases import execute
from tests.support.eventually import eventually

DAY = timedelta(days=1)


@pytest.fixture
def shelves(database: Database) -> Sequence[Shelf]:
    """Commands for ten days, messages for twenty, receipts for thirty, counts for forty."""
    return PostgresHistory(database=database).shelves(
        commands=10 * DAY, messages=20 * DAY, receipts=30 * DAY, counts=40 * DAY
    )


async def age(database_url: str, table: str, column: str, days: int, where: str = "true") -> None:
    """Make rows older."""
    await execute(
        database_url,
        f"UPDATE {table} SET {column} = {column} - interval '{days} days' WHERE {where}",
    )


async def test_each_is_kept_for_its_time(
    database: Database, database_url: str, shelves: Sequence[Shelf]
) -> None:
    """To the day, in the order of their age, and never more at once than is asked for."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    for number in range(4):
        await changes.commit([finished(f"c{number}"), message(number), receipt(number)])
    for table, column, days in (
        ("commands", "received_at", 11),
        ("commands", "finished_at", 11),
        ("messages", "stored_at", 21),
    ):
        await age(database_url, table, column, days)
    await execute(database_url, "UPDATE receipts SET timestamp = now() - interval '31 days'")
    for table, column, key in (
        ("commands", "finished_at", "id = 'c3'"),
        ("messages", "stored_at", "message_id = 'M3'"),
    ):
        await age(database_url, table, column, -2, key)
    await execute(database_url, "UPDATE receipts SET timestamp = now() WHERE message_id = 'M3'")

    shelves = shelves[:3]
    for shelf in shelves:
        assert [await shelf.prune(2) for _ in range(3)] == [2, 1, 0]

    assert [await count(database, shelf.name) for shelf in shelves] == [1, 1, 1]
    assert await value(database, "SELECT id FROM commands") == "c3"
    history = PostgresMessageStore(database=database)
    assert len(await history.find("s", chats=[CHAT], message_id="M3")) == 1
    assert await history.find("s", chats=[CHAT], message_id="M0") == []


async def test_a_command_without_an_end_is_kept_however_old_it_is(
    database: Database, database_url: str, shelves: Sequence[Shelf], inbox: PostgresInboxStore
) -> None:
    """Begun, waiting, or reopened after its end by whoever runs the gateway."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    await inbox.enter([received("begun"), received("waiting")])
    await inbox.suspend("waiting", session_id="s")
    await changes.commit([finished("reopened"), finished("over")])
    await inbox.reopen("reopened", session_id="s", states=[CommandState.SUCCEEDED])
    await age(database_url, "commands", "received_at", 500)
    await age(database_url, "commands", "finished_at", 500)

    assert await shelves[0].prune(100) == 1
    assert await value(database, "SELECT count(*) FROM commands WHERE id = 'over'") == 0
    assert await count(database, "commands") == 3


async def test_what_somebody_has_locked_is_passed_over(
    database: Database, database_url: str, shelves: Sequence[Shelf]
) -> None:
    """Neither waits for the other, and several workers share the work."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    await changes.commit([message(number) for number in range(20)])
    await age(database_url, "messages", "stored_at", 21)
    async with database.transaction("holding a row") as other:
        await other.execute("SELECT FROM messages WHERE message_id = 'M0' FOR UPDATE")
        pruned = await asyncio.gather(*(shelves[1].prune(8) for _ in range(3)))
        pruned.append(await shelves[1].prune(100))
        assert sum(pruned) == 19
    assert await shelves[1].prune(100) == 1


async def test_the_old_is_found_by_an_index(
    database: Database, database_url: str, shelves: Sequence[Shelf]
) -> None:
    """Not by reading all that there is."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    for batch in range(4):
        numbers = range(200 * batch, 200 * batch + 200)
        await changes.commit([message(number) for number in numbers])
        await changes.commit([finished(f"c{number}") for number in numbers])
        await changes.commit([receipt(number) for number in numbers])
    await execute(database_url, "ANALYZE")
    for table, column in (
        ("commands", "received_at"),
        ("receipts", "timestamp"),
    ):
        async with database.direct("explaining") as connection:
            plan = await connection.fetch(
                f"EXPLAIN SELECT ctid FROM {table} WHERE {column} < now() - interval '90 days'"
                f" ORDER BY {column} LIMIT 1000 FOR UPDATE SKIP LOCKED"
            )
        assert f"{table}_{column}_idx" in "\n".join(line for (line,) in plan)
    assert [await shelf.prune(1000) for shelf in shelves[:2]] == [0, 0]


async def test_a_table_that_cannot_be_pruned_keeps_no_other_from_it(
    database: Database, database_url: str, shelves: Sequence[Shelf]
) -> None:
    """The next round tries it again."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    await changes.commit([message(1), receipt(1)])
    await execute(database_url, "UPDATE receipts SET timestamp = now() - interval '31 days'")
    await age(database_url, "messages", "stored_at", 21)
    await execute(database_url, "ALTER TABLE messages RENAME TO hidden")
    pruned: dict[str, int] = {}
    stop = asyncio.Event()
    running = asyncio.create_task(
        Pruner(
            shelves=shelves,
            interval_seconds=0.05,
            pruned=lambda name, rows: pruned.update({name: pruned.get(name, 0) + rows}),
        ).run(stop)
    )
    await eventually(lambda: pruned.get("receipts") == 1, reason="receipts are")
    assert "messages" not in pruned
    await execute(database_url, "ALTER TABLE hidden RENAME TO messages")
    await eventually(lambda: pruned.get("messages") == 1, reason="messages are, now")
    stop.set()
    await running
