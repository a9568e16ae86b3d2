"""What is executed later is written with what tells of it, and goes with its outcome."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway_contracts import BulkReason, BulkState, CommandScheduled, CommandScheduledData
from gateway_worker.commands.deferrals import RowBody
from gateway_worker.commands.ports import Received, Verdict
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.deferred import (
    Bulk,
    BulkUpdate,
    DeferredEnd,
    DeferredKey,
    DeferredRow,
    RowState,
)
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from gateway_worker.storage.db.bulks import PostgresBulkStore
from gateway_worker.storage.db.deferred import PostgresDeferredStore
from tests.integration.storage.db.support import NOW, SEND, SOURCE, WORKER, count, finished, value

SOON = timedelta(minutes=1)


def put_off(
    command_id: str,
    *,
    minutes: int = 1,
    session: str = "s",
    epoch: int = 1,
    body: bytes = b"{}",
) -> Change:
    """Return the acceptance of a command that is due after so many minutes."""
    due_at = NOW + timedelta(minutes=minutes)
    event = CommandScheduled(
        source=SOURCE,
        subject=session,
        correlationid=command_id,
        data=CommandScheduledData(command_type=SEND, scheduled_at=due_at),
    )
    row = DeferredRow(
        command_id=command_id, command_type=SEND, fingerprint="f", due_at=due_at, body=body
    )
    return Change(session_id=session, epoch=epoch, events=(event,), deferred=row)


def ended(command_id: str, state: RowState = RowState.SUCCEEDED) -> Change:
    """Return the end of one of those."""
    key = DeferredKey(batch=command_id)
    return replace(finished(command_id), deferred_end=DeferredEnd(key=key, state=state))


@pytest.fixture
def deferred(database: Database) -> PostgresDeferredStore:
    """The table."""
    return PostgresDeferredStore(database=database)


def received(command_id: str, fingerprint: str = "f") -> Received:
    """Return a command as it is looked for."""
    return Received(
        command_id=command_id,
        session_id="s",
        command_type=SEND,
        worker_id=WORKER,
        epoch=1,
        fingerprint=fingerprint,
    )


async def test_what_is_put_off_is_found_when_it_is_due(
    changes: PostgresChangeStore, deferred: PostgresDeferredStore
) -> None:
    """The oldest of each session first, so many of each; nothing of a former owner."""
    await changes.commit(
        [
            put_off("c", minutes=3),
            put_off("a", minutes=1),
            put_off("b", minutes=2),
            put_off("t1", session="t"),
            put_off("stale", epoch=7),
        ]
    )

    due = await deferred.due(["s", "t"], until=NOW + 2 * SOON, limit=5)
    assert [row.key.batch for row in due] == ["a", "t1", "b"]
    assert await deferred.due(["t"], until=NOW, limit=5) == []
    few = await deferred.due(["s"], until=NOW + 9 * SOON, limit=1)
    assert [row.key.batch for row in few] == ["a"]

    first = await deferred.page("s", after=None, limit=2)
    assert [row.key.batch for row in first] == ["a", "b"]
    rest = await deferred.page("s", after=(first[1].due_at, "b"), limit=2)
    assert [row.key.batch for row in rest] == ["c"]
    found = await deferred.get("s", "c")
    assert found is not None
    assert found.body == b"{}"
    assert await deferred.get("t", "c") is None


async def test_the_inbox_knows_what_is_put_off(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """It has not begun: whoever executes it is the first."""
    assert (await inbox.look(received("a"))).verdict is Verdict.NEW
    await changes.commit([put_off("a")])

    assert (await inbox.look(received("a"))).verdict is Verdict.KNOWN
    assert (await inbox.look(received("a", "other"))).verdict is Verdict.DIFFERENT
    (entry,) = await inbox.enter([received("a")])
    assert entry.verdict is Verdict.NEW
    assert (entry.attempts, entry.received_at) == (1, NOW + SOON)
    assert (await inbox.look(received("a"))).verdict is Verdict.INTERRUPTED

    await changes.commit([ended("a")])
    assert (await inbox.look(received("a"))).verdict is Verdict.FINISHED


async def test_a_row_goes_with_its_outcome(
    database: Database, changes: PostgresChangeStore
) -> None:
    """And if the outcome was there before; not with that of a former owner."""
    await changes.commit([put_off("a"), put_off("b"), put_off("c"), finished("b")])

    await changes.commit([ended("a"), ended("b"), replace(ended("c"), epoch=7)])

    assert await value(database, "SELECT string_agg(batch, ' ') FROM deferred") == "c"


async def test_a_deleted_session_leaves_nothing(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Neither commands nor bulks."""
    await changes.commit([put_off("a"), replace(finished("b"), bulk=bulk("b"))])

    await changes.commit([replace(finished("d"), delete=True)])

    assert await count(database, "deferred") == 0
    assert await count(database, "bulks") == 0


def bulk(bulk_id: str) -> Bulk:
    """Return a bulk of two rows."""
    return Bulk(bulk_id=bulk_id, load="load", state=BulkState.RUNNING, rows=2, options={})


async def test_a_bulk_counts_each_row_once(
    database: Database, changes: PostgresChangeStore
) -> None:
    """A row that is gone does not count again."""
    await changes.commit([replace(finished("b"), bulk=bulk("b"))])
    async with database.transaction("writing rows") as connection:
        await connection.execute(
            "INSERT INTO deferred VALUES ('s', 'load', 1, NULL, ''), ('s', 'load', 2, NULL, '')"
        )

    def end(row: int, state: RowState) -> Change:
        key = DeferredKey(batch="load", row=row)
        return replace(finished(f"b/{row}"), deferred_end=DeferredEnd(key=key, state=state))

    await changes.commit([end(1, RowState.SUCCEEDED), end(2, RowState.UNCERTAIN)])
    await changes.commit([end(2, RowState.FAILED)])

    counts = "SELECT ARRAY[succeeded, failed, uncertain] FROM bulks"
    assert await value(database, counts) == [1, 0, 1]
    assert await count(database, "deferred") == 0


async def test_a_row_that_was_put_back_has_no_end(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Its session had to wait; if it is called off then, it is told as one that never began."""
    await changes.commit([finished("b/1")])
    await inbox.enter([received("b/2")])
    await inbox.suspend("b/2", session_id="s")

    rows = await PostgresBulkStore(database=database).ended("s", "b", first=1, last=3)
    assert [(row.row, row.state) for row in rows] == [(1, "succeeded"), (2, None), (3, None)]


async def test_rows_to_a_person_are_called_off(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """However the recipient is written; but for what was handed on, or may have been sent."""
    await changes.commit([replace(finished("b"), bulk=bulk("b"))])
    to = ["+15550100002", "15550100002", "+15550100003", "+15550100002", "+15550100002"]
    rows = [
        RowBody(row=number, body=json.dumps({"to": one}).encode())
        for number, one in enumerate(to, 1)
    ]
    bulks = PostgresBulkStore(database=database)
    await bulks.load("s", "load", rows)
    await inbox.enter([received("b/1"), received("b/5")])
    await inbox.suspend("b/1", session_id="s")

    async def cancel(epoch: int) -> int:
        wanted = ["15550100002", "+15550100002"]
        return await bulks.cancel_to("s", bulk("b"), to=wanted, but=[4], epoch=epoch)

    assert await cancel(epoch=7) == 0
    assert await cancel(epoch=1) == 2
    left = await bulks.rows("s", "load", after=0, limit=9)
    assert [row.row for row in left] == [3, 4, 5]
    assert await value(database, "SELECT cancelled FROM bulks") == 2
    assert await value(database, "SELECT string_agg(id, ' ') FROM commands") == "b b/5"
    assert await cancel(epoch=1) == 0


async def test_a_cancelled_bulk_leaves_no_command_that_waits(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """A row that was put back is known to the inbox, which keeps what has no end."""
    ended = replace(bulk("b"), state=BulkState.CANCELLING)
    await changes.commit([replace(finished("b"), bulk=ended)])
    bulks = PostgresBulkStore(database=database)
    await bulks.load("s", "load", [RowBody(row=number, body=b"{}") for number in (1, 2)])
    await inbox.enter([received("b/1")])
    await inbox.suspend("b/1", session_id="s")

    assert await bulks.sweep("s", ended, epoch=1, limit=9)

    assert await value(database, "SELECT cancelled FROM bulks") == 2
    assert await value(database, "SELECT string_agg(id, ' ') FROM commands") == "b"


async def test_a_bulk_changes_its_state_only_from_where_it_may(
    database: Database, changes: PostgresChangeStore
) -> None:
    """What comes too late is not told."""
    await changes.commit([replace(finished("b"), bulk=bulk("b"))])
    event = put_off("x").events

    def update(before: BulkState, state: BulkState) -> Change:
        step = BulkUpdate(
            bulk_id="b", before=frozenset({before}), state=state, reason=BulkReason.FAILURES
        )
        return Change(session_id="s", epoch=1, events=event, bulk_update=step)

    (paused,) = await changes.commit([update(BulkState.RUNNING, BulkState.PAUSED)])
    assert paused.applied
    assert len(paused.rows) == 1
    (late,) = await changes.commit([update(BulkState.RUNNING, BulkState.FINISHED)])
    assert not late.applied
    assert late.rows == ()
    assert await value(database, "SELECT state || ' ' || reason FROM bulks") == "paused failures"
