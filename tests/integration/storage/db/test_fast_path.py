"""The usual batch is written in one statement, and nobody can tell by what is written."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway_contracts import ReceiptStatus
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.changes import Change, Committed, Direction
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from tests.integration.storage.db.support import (
    WORKER,
    count,
    finished,
    message,
    numbers,
    receipt,
    received,
    rows_of,
    status,
    value,
    waiting,
)
from tests.support.eventually import eventually

METADATA = """UPDATE sessions SET metadata = '{"customer": "Ada"}' WHERE id = 's' RETURNING id"""
HOLD = "SELECT id FROM sessions WHERE id = 's' FOR UPDATE"
TAKEN_BY_ANOTHER = """
    INSERT INTO messages (session_id, message_id, chat, direction, sender, content, timestamp)
    SELECT session_id, 'M3', chat, direction, sender, content, timestamp FROM messages
    WHERE message_id = 'M1'
"""
TABLES = {
    "sessions": "updated_at",
    "commands": "received_at,finished_at,entry",
    "messages": "stored_at",
    "receipts": "stored_at",
    "chats": "since",
    "outbox": "id,created_at",
}
"""What is compared of a database, and what of each table is not."""
EMPTY = "TRUNCATE commands, messages, receipts, chats, outbox"
BEGIN_ANEW = "UPDATE sessions SET last_sequence = 0"


def sent(number: int, *, session: str = "s", epoch: int = 1) -> Change:
    """Return the good end of a command that has sent a message."""
    row = message(
        number,
        session=session,
        direction=Direction.OUT,
        sender="me:1@s.whatsapp.net",
        command_id=f"c{number}",
        client_ref=f"ref-{number}",
    ).message
    return finished(f"c{number}", session=session, epoch=epoch, message=row)


async def test_what_is_usual_takes_one_statement(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """From the second batch of a session on; the events have all that is known of them."""
    await value(database, METADATA)
    await inbox.enter([received("c1"), received("c2"), received("c3", "t")])
    first = await changes.commit([sent(1), message(5), message(6, session="t")])
    before = changes.fast_commits
    second = await changes.commit(
        [sent(2), receipt(1), message(7), receipt(2), message(8, session="t")]
    )

    assert (before, changes.fast_commits) == (0, 1)
    assert all(answer.applied and len(answer.rows) == 1 for answer in second)
    assert numbers(rows_of(first)) == [1, 2, 1]
    assert numbers(rows_of(second)) == [3, 4, 5, 6, 2]
    receipts = [json.loads(second[place].rows[0].body) for place in (1, 3)]
    assert [body["correlationid"] for body in receipts] == ["c1", "c2"]
    assert [body["data"]["client_ref"] for body in receipts] == ["ref-1", "ref-2"]
    assert {body["data"]["session_metadata"]["customer"] for body in receipts} == {"Ada"}
    assert [await count(database, table) for table in ("messages", "receipts")] == [6, 2]
    assert await value(database, "SELECT last_sequence FROM sessions WHERE id = 's'") == 6


@pytest.mark.parametrize("seed", range(8))
async def test_both_ways_write_the_same(database: Database, seed: int) -> None:
    """Whatever comes in whichever batches, with repeats, former owners' steps and other states."""
    batches = _batches(random.Random(seed))
    await value(database, METADATA)
    living = PostgresChangeStore(database=database, worker_id=WORKER)
    fast = await _written(database, batches, lambda: living)
    async with database.transaction("emptying") as connection:
        await connection.execute(EMPTY)
        await connection.execute(BEGIN_ANEW)
    slow = await _written(
        database, batches, lambda: PostgresChangeStore(database=database, worker_id=WORKER)
    )

    assert living.fast_commits > 0
    assert fast == slow


@pytest.mark.parametrize(
    ("change", "applied", "sequences"),
    [
        (message(1), False, []),
        (sent(1), False, []),
        (receipt(1), False, []),
        (message(4, epoch=2), False, []),
        (receipt(99), True, [5]),
        (status(), True, [5]),
        (finished("never-entered"), True, [5]),
    ],
    ids=["message", "end", "receipt", "former owner", "unknown message", "state", "unknown"],
)
async def test_what_is_not_usual_is_found_out(
    changes: PostgresChangeStore, change: Change, *, applied: bool, sequences: list[int]
) -> None:
    """Repeats, what another owner did, what has to be looked up: with others in the batch."""
    await changes.commit([message(1), sent(1)])
    await changes.commit([receipt(1)])
    answers = await changes.commit([message(2), change])

    assert [answer.applied for answer in answers] == [True, applied]
    assert numbers(rows_of(answers)) == [4, *sequences]


async def test_a_session_that_was_counted_on_elsewhere(
    database: Database, changes: PostgresChangeStore
) -> None:
    """What is remembered of a row counts only if it is so."""
    await changes.commit([message(1)])
    await value(database, "UPDATE sessions SET last_sequence = 40 WHERE id = 's' RETURNING 1")
    answers = [await changes.commit([message(number)]) for number in (2, 3)]

    assert [numbers(rows_of(answer)) for answer in answers] == [[41], [42]]
    assert changes.fast_commits == 1


async def test_what_was_sent_before_another_worker_had_the_session_is_looked_up(
    database: Database, changes: PostgresChangeStore
) -> None:
    """It may have been erased there; nothing may tell of it from memory."""
    await changes.commit([sent(1)])
    await value(database, "DELETE FROM messages WHERE session_id = 's' RETURNING 1")
    await value(database, "UPDATE sessions SET epoch = 3 WHERE id = 's' RETURNING 1")
    await changes.commit([message(2, epoch=3)])
    (answer,) = await changes.commit([replace(receipt(1), epoch=3)])

    assert [row.correlation_id for row in answer.rows] == [None]


async def test_a_session_that_has_gone_is_not_remembered(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Nor is what its row says: another worker's, one that was deleted, one that was taken away."""
    remembered = changes._fast_path._sessions
    await changes.commit([message(1), message(1, session="t")])
    assert set(remembered) == {"s", "t"}
    await value(database, "UPDATE sessions SET epoch = 2 WHERE id = 't' RETURNING 1")
    await changes.commit([message(2), message(2, session="t")])
    assert set(remembered) == {"s"}
    await changes.commit([finished("d", delete=True)])
    assert not remembered


async def test_a_session_that_somebody_holds_is_waited_for(
    database: Database, changes: PostgresChangeStore
) -> None:
    """As on the long way."""
    await changes.commit([message(1)])
    async with database.transaction("holding") as connection:
        await connection.execute(HOLD)
        committing = asyncio.create_task(_insisted(changes, [message(2)]))
        await eventually(lambda: waiting(database, "FROM sessions"), reason="it waits for the row")
    answers = await committing

    assert [answer.applied for answer in answers] == [True]
    assert numbers(rows_of(answers)) == [2]


async def test_what_somebody_writes_at_the_same_moment(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Nothing of it is written twice or told, and the rest of the batch is."""
    await changes.commit([message(1)])
    async with database.transaction("writing the same") as connection:
        await connection.execute(TAKEN_BY_ANOTHER)
        committing = asyncio.create_task(_insisted(changes, [message(2), message(3)]))
        await eventually(lambda: waiting(database, "WITH owned"), reason="it waits for the row")
    answers = await committing

    assert [answer.applied for answer in answers] == [True, False]
    assert numbers(rows_of(answers)) == [2]
    assert await count(database, "messages") == 3


async def _insisted(changes: PostgresChangeStore, batch: Sequence[Change]) -> Sequence[Committed]:
    """Commit as the recorder does, which tries again when a row is held for long."""
    while True:
        with suppress(DependencyError):
            return await changes.commit(batch)


def _batches(chance: random.Random) -> list[list[Change]]:
    """Return batches of which many are usual; each change is of the session `s` or `t`."""
    made: list[Change] = [message(0), sent(0), message(0, session="t")]
    batches = [[*made]]
    for number in range(1, 40):
        session = chance.choice("st")
        new = [message(number, session=session), sent(100 + number, session=session)]
        new += [receipt(one, chance.choice(list(ReceiptStatus))) for one in (0, 100 + number)]
        batch = chance.sample(new, chance.randint(1, len(new)))
        if chance.random() < 0.2:
            odd = [
                chance.choice(made),
                replace(message(500 + number), epoch=7),
                status(session=session),
            ]
            batch.append(chance.choice(odd))
        made += batch
        batches.append(batch)
    return batches


async def _written(
    database: Database,
    batches: Sequence[Sequence[Change]],
    store: Callable[[], PostgresChangeStore],
) -> dict[str, list[Any]]:
    """Commit batches; return what was answered, and what is in the database then."""
    answers = []
    for batch in batches:
        for one in await store().commit(batch):
            rows = [(row.event_id, row.body, row.sequence, row.correlation_id) for row in one.rows]
            answers.append((one.applied, one.early, one.fenced, rows))
    tables = {
        table: await value(
            database,
            f"""SELECT jsonb_agg(row ORDER BY row) FROM (
                SELECT to_jsonb({table}) - '{{{without}}}'::text[] AS row FROM {table}) AS rows""",
        )
        for table, without in TABLES.items()
    }
    return {"answers": answers, **tables}
