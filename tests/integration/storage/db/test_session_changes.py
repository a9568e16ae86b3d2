"""What changes of a session leave in its row, and what its deletion leaves anywhere."""

import json
from dataclasses import replace
from typing import Any

from gateway_contracts import Account, Ignorable, Ignore, SessionSettings, SessionState
from gateway_worker.sessions.changes import Change, DesiredState, SessionValues
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import (
    count,
    finished,
    message,
    numbers,
    receipt,
    rows_of,
    session_row,
    status,
    value,
)


async def test_updates_of_a_session_are_folded(
    database: Database, changes: PostgresChangeStore
) -> None:
    """The last state counts; what a step leaves alone stays; forgetting can be undone."""
    sessions = PostgresSessionStore(database=database)
    shop, other = Account(jid="12025550100:1@s.whatsapp.net"), Account(jid="1:2@s.whatsapp.net")
    await changes.commit(
        [status(account=shop), status(SessionState.CONNECTED), status(SessionState.STOPPED)]
    )
    row = await sessions.get("s")
    assert row is not None
    assert (row.state, row.desired, row.account) == ("stopped", DesiredState.RUNNING, shop)

    await changes.commit(
        [status(forget_account=True, desired=DesiredState.STOPPED), status(account=other)]
    )
    row = await sessions.get("s")
    assert row is not None
    assert (row.desired, row.account) == (DesiredState.STOPPED, other)

    await changes.commit([status(account=shop), status(forget_account=True)])
    row = await sessions.get("s")
    assert row is not None
    assert row.account is None


async def test_an_update_without_an_event_is_written(
    database: Database, changes: PostgresChangeStore
) -> None:
    """And takes no number."""
    update = SessionValues(desired=DesiredState.STOPPED)
    answers = await changes.commit([Change(session_id="s", epoch=1, session=update)])

    assert answers[0].applied
    row = await PostgresSessionStore(database=database).get("s")
    assert row is not None
    assert row.desired is DesiredState.STOPPED
    assert numbers(rows_of(await changes.commit([message(1)]))) == [1]


async def test_what_a_backend_sets_of_a_session_is_kept(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Each by itself; from the change of the metadata on, events carry the new ones."""
    settings = SessionSettings(
        ignore=Ignore(categories=(Ignorable.GROUPS,), chats=("+1202555010",))
    )

    def changed(number: int, **values: Any) -> Change:
        return replace(message(number), session=SessionValues(**values))

    first = await changes.commit(
        [
            message(1),
            changed(2, settings=settings, metadata={"plan": "pro"}),
            message(3),
            changed(4, labels={"team": "sales"}),
        ]
    )
    second = await changes.commit([message(5), changed(6, metadata={}), message(7)])

    row = await PostgresSessionStore(database=database).get("s")
    assert row is not None
    assert (row.settings, row.labels, row.metadata) == (settings, {"team": "sales"}, {})
    told = [
        json.loads(each.body)["data"].get("session_metadata") for each in rows_of([*first, *second])
    ]
    assert told == [
        None,
        {"plan": "pro"},
        {"plan": "pro"},
        {"plan": "pro"},
        {"plan": "pro"},
        None,
        None,
    ]


async def test_delete_leaves_the_tombstone_and_the_unpublished_events(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Steps behind the deletion in the same batch find the session gone."""
    answers = await changes.commit(
        [message(1), receipt(1), finished("c"), finished("d", delete=True), message(2)]
    )

    assert [a.fenced for a in answers] == [False, False, False, False, True]
    tables = ("sessions", "messages", "receipts", "commands", "outbox")
    assert [await count(database, table) for table in tables] == [1, 0, 0, 1, 4]
    rows = await outbox.pending(after=0, limit=10)
    assert list(rows) == rows_of(answers)
    await outbox.mark_published([row.outbox_id for row in rows])
    assert await count(database, "outbox") == 0


async def test_a_session_can_be_created_again_after_its_deletion(
    database: Database, changes: PostgresChangeStore, outbox: PostgresOutboxStore
) -> None:
    """Its numbers go on; what is marked as published is deleted at once."""
    rows = rows_of(await changes.commit([message(1), message(1, session="t")]))
    await outbox.mark_published([row.outbox_id for row in rows])
    await changes.commit([finished("d", delete=True)])

    kept = await value(database, "SELECT string_agg(session_id, ' ' ORDER BY id) FROM outbox")
    assert kept == "t s"
    assert await PostgresSessionStore(database=database).create(session_row("s")) is not None
    assert numbers(rows_of(await changes.commit([message(1, epoch=2)]))) == [3]
