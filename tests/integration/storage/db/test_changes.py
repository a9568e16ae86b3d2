"""The change store on a real PostgreSQL: what is written once, in order, and what is refused."""

import asyncio
from dataclasses import replace

import pytest

from gateway_contracts import ReceiptStatus, SessionState, parse_event
from gateway_worker.sessions.changes import Change, Direction, Reachout, SessionValues
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
    PostgresSessionStore,
    StatementRefusedError,
)
from tests.integration.storage.db.support import (
    CHAT,
    NOW,
    OTHER,
    count,
    failed,
    finished,
    message,
    numbers,
    receipt,
    received,
    rows_of,
    session_row,
    status,
    value,
)


async def test_sequences_are_gapless_over_repeats_and_zombies(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Repeats inside a batch and before it, and a former owner's steps, take no number."""
    await changes.commit([message(1)])
    answers = await changes.commit(
        [
            message(1),
            message(2),
            message(9, epoch=7),
            message(2),
            message(3),
            message(1, session="t"),
        ]
    )

    assert [a.applied for a in answers] == [False, True, False, False, True, True]
    assert [a.fenced for a in answers] == [False, False, True, False, False, False]
    assert numbers(rows_of(answers)) == [2, 3, 1]
    assert await count(database, "messages") == 4


async def test_a_zombies_message_does_not_hide_the_owners(changes: PostgresChangeStore) -> None:
    """The same message from a former owner and from this one, in one batch."""
    answers = await changes.commit([message(1, epoch=0), message(1), message(1)])

    assert [(a.applied, a.fenced) for a in answers] == [
        (False, True),
        (True, False),
        (False, False),
    ]
    assert numbers(rows_of(answers)) == [1]


async def test_a_receipt_counts_once(database: Database, changes: PostgresChangeStore) -> None:
    """By message, participant and status; repeats give neither row nor event."""
    read = ReceiptStatus.READ
    first = await changes.commit([receipt(1), receipt(1), receipt(1, read), receipt(2)])
    again = await changes.commit([receipt(1, read), receipt(1, participant="x@lid"), receipt(2)])

    assert [a.applied for a in first] == [True, False, True, True]
    assert [a.applied for a in again] == [False, True, False]
    assert numbers(rows_of([*first, *again])) == [1, 2, 3, 4]
    assert await count(database, "receipts") == 4


async def test_one_batch_of_everything(database: Database, changes: PostgresChangeStore) -> None:
    """Ends, messages, receipts and states of two sessions and none keep their order."""
    batch = [
        finished("c1", message=message(1).message),
        receipt(1),
        failed("c2"),
        status(session="t"),
        message(2),
        finished("c3", session="t"),
    ]
    answers = await changes.commit(batch)

    assert all(a.applied and len(a.rows) == 1 for a in answers)
    rows = rows_of(answers)
    assert [row.event_id for row in rows] == [change.events[0].id for change in batch]
    assert [row.outbox_id for row in rows] == sorted(row.outbox_id for row in rows)
    assert numbers(rows) == [1, 2, None, 1, 3, 2]
    assert [await count(database, t) for t in ("commands", "messages", "receipts")] == [3, 2, 1]


async def test_a_commands_first_end_stays(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """A second end, in the same batch or later, brings neither event nor message."""
    await inbox.enter([received("c")])
    answers = await changes.commit(
        [
            finished("c", message=message(1).message),
            finished("c", message=message(2).message),
            finished("d"),
        ]
    )
    again = await changes.commit([finished("c", message=message(3).message)])

    assert [a.applied for a in [*answers, *again]] == [True, False, True, False]
    assert numbers(rows_of([*answers, *again])) == [1, 2]
    assert await count(database, "messages") == 1


async def test_an_end_is_not_held_back_by_its_message(
    database: Database, changes: PostgresChangeStore
) -> None:
    """The message's echo came first; the command has run all the same."""
    answers = await changes.commit([message(1), finished("c", message=message(1).message)])

    assert [a.applied for a in answers] == [True, True]
    assert await count(database, "messages") == 1


async def test_another_sessions_command_cannot_be_ended(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """An id belongs to the session that used it first."""
    await inbox.enter([received("c", "t")])
    answers = await changes.commit([finished("c", session="s")])

    assert not answers[0].applied
    assert await value(database, "SELECT state FROM commands") == "executing"


async def test_nul_in_a_message_is_stored(database: Database, changes: PostgresChangeStore) -> None:
    """What jsonb cannot hold must not be refused for ever; the event keeps the original."""
    words = "a\x00b\\u0000"
    (answer,) = await changes.commit([message(1, words=words)])

    assert answer.applied
    assert b"a\\u0000b" in answer.rows[0].body
    (stored,) = await PostgresMessageStore(database=database).find(
        "s", chats=[CHAT], message_id="M1"
    )
    expected = message(1, words="a\ufffdb\\u0000").message
    assert expected is not None
    assert stored.content == expected.content


async def test_a_refused_change_spoils_the_batch_and_nothing_else(
    database: Database, changes: PostgresChangeStore
) -> None:
    """A JID with NUL fits no column: the batch leaves nothing, the others alone are written."""
    good = message(2)
    assert good.message is not None
    bad = replace(good, message=replace(good.message, sender=f"{CHAT}\x00"))
    with pytest.raises(StatementRefusedError, match="SQLSTATE 22021") as caught:
        await changes.commit([message(1), bad])

    assert "12025550102" not in repr(caught.value)
    assert await count(database, "outbox") == 0
    assert numbers(rows_of(await changes.commit([message(1), message(3)]))) == [1, 2]


async def test_a_change_that_contradicts_itself_is_refused(changes: PostgresChangeStore) -> None:
    """Before anything is written."""
    wrong = [
        Change(session_id="s", epoch=1, message=message(1).message, receipt=receipt(1).receipt),
        replace(finished("c"), receipt=receipt(1).receipt),
        Change(session_id="s", epoch=None, session=SessionValues(state=SessionState.STOPPED)),
        Change(session_id="s", epoch=None, delete=True),
        Change(session_id="s", epoch=1, events=message(1, session="t").events),
    ]
    for change in wrong:
        with pytest.raises(ValueError, match="a change"):
            await changes.commit([message(7), change])
    assert (await changes.commit([message(7)]))[0].applied


async def test_two_workers_commit_the_same_sessions_without_blocking_each_other(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Whatever the order of their changes; each session's numbers have no gap."""
    other = PostgresChangeStore(database=database, worker_id=OTHER)

    async def write(store: PostgresChangeStore, base: int, sessions: str) -> list[int | None]:
        batches = [[message(base + n, session=session) for session in sessions] for n in range(20)]
        return [n for batch in batches for n in numbers(rows_of(await store.commit(batch)))]

    mine, theirs = await asyncio.gather(write(changes, 100, "st"), write(other, 200, "ts"))
    assert sorted(n for n in [*mine, *theirs] if n) == sorted([*range(1, 41), *range(1, 41)])


async def test_a_receipt_tells_what_the_backend_calls_its_message(
    changes: PostgresChangeStore,
) -> None:
    """Whether that was stored before or is in the same batch, and by either id of its chat."""
    lid = "100000000000002@lid"
    sent = replace(
        message(1, direction=Direction.OUT, command_id="c", client_ref="order-1"), events=()
    )
    other = replace(message(2, direction=Direction.OUT, command_id="d"), events=())
    await changes.commit([sent, other])
    later = await changes.commit(
        [
            receipt(1),
            receipt(1, participant="x@lid", chat="x@lid", participant_lid=CHAT),
            receipt(2),
            replace(
                message(3, chat=lid, direction=Direction.OUT, command_id="e", client_ref="order-3"),
                events=(),
            ),
            receipt(3, participant_lid=lid),
        ]
    )

    told = [parse_event(row.body) for row in rows_of(later)]
    assert [(one.correlationid, one.model_dump()["data"]["client_ref"]) for one in told] == [
        ("c", "order-1"),
        ("c", "order-1"),
        ("d", None),
        ("e", "order-3"),
    ]


async def test_events_carry_the_metadata_of_their_session(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Those of each session its own; those of none have none."""
    sessions = PostgresSessionStore(database=database)
    await sessions.create(session_row("noted", metadata={"plan": 'pro "é"'}))
    answers = await changes.commit(
        [message(1, session="noted"), message(1), finished("c", session="noted"), failed("d")]
    )

    told = [parse_event(row.body).model_dump()["data"] for row in rows_of(answers)]
    noted = {"plan": 'pro "é"'}
    assert [data["session_metadata"] for data in told] == [noted, None, noted, None]


async def test_what_whatsapp_says_of_new_chats_is_kept(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Until it says something else; other changes of the session leave it alone."""
    sessions = PostgresSessionStore(database=database)
    held = Reachout(refusals=2, until=NOW)
    await changes.commit([replace(status(reachout=held), events=()), status(), message(1)])
    after = await sessions.get("s")
    await changes.commit([replace(status(reachout=Reachout()), events=())])
    cleared = await sessions.get("s")

    assert after is not None
    assert cleared is not None
    assert (after.reachout, cleared.reachout) == (held, Reachout())
