"""The commands table on a real PostgreSQL: each command happens once, whoever asks how often."""

import asyncio

from gateway_contracts import Done, ErrorCode
from gateway_worker.commands.ports import Verdict
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from tests.integration.storage.db.support import SEND, count, failed, finished, received, value


async def test_a_command_is_new_once(
    inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """Then interrupted, each time with one attempt more, and finished for ever after its end."""
    entries = [*await inbox.enter([received("c")]), *await inbox.enter([received("c")] * 2)]
    assert [(e.verdict, e.attempts, e.outcome) for e in entries] == [
        (Verdict.NEW, 1, None),
        (Verdict.INTERRUPTED, 2, None),
        (Verdict.INTERRUPTED, 3, None),
    ]

    await changes.commit([finished("c")])
    for _ in range(2):
        (entry,) = await inbox.enter([received("c")])
        assert entry.verdict is Verdict.FINISHED
        assert entry.outcome is not None
        assert (entry.outcome.result, entry.outcome.command_type) == (Done(), SEND)


async def test_a_bad_end_is_given_again_too(
    inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """With its code."""
    await inbox.enter([received("c", "nowhere")])
    await changes.commit([failed("c")])
    (entry,) = await inbox.enter([received("c", "nowhere")])

    assert entry.outcome is not None
    assert entry.outcome.error is not None
    assert entry.outcome.error.code is ErrorCode.SESSION_NOT_FOUND


async def test_an_id_that_comes_twice_in_one_batch(inbox: PostgresInboxStore) -> None:
    """The first is new, the second has to take it for interrupted; others are not touched."""
    entries = await inbox.enter([received("a"), received("c"), received("c"), received("b")])

    assert [e.verdict for e in entries] == [
        Verdict.NEW,
        Verdict.NEW,
        Verdict.INTERRUPTED,
        Verdict.NEW,
    ]
    assert [e.attempts for e in entries] == [1, 1, 2, 1]


async def test_an_id_names_one_sessions_command_for_ever(
    database: Database, inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """For another session it is taken: in the same batch, later, and after the end."""
    (_, other) = await inbox.enter([received("c"), received("c", "t")])
    (later,) = await inbox.enter([received("c", "t")])
    await changes.commit([finished("c")])
    (after,) = await inbox.enter([received("c", "t")])

    assert {e.verdict for e in (other, later, after)} == {Verdict.TAKEN}
    assert {e.outcome for e in (other, later, after)} == {None}
    assert await value(database, "SELECT attempts FROM commands") == 1
    assert await value(database, "SELECT session_id FROM commands") == "s"


async def test_many_workers_that_get_the_same_commands(
    database: Database, inbox: PostgresInboxStore
) -> None:
    """Each command is new for exactly one of them, whatever the order of their batches."""
    stores = [inbox, *(PostgresInboxStore(database=database) for _ in range(5))]
    ids = [f"c{n:02d}" for n in range(20)]
    batches = [ids if n % 2 else ids[::-1] for n in range(len(stores))]
    answers = await asyncio.gather(
        *(
            store.enter([received(command_id) for command_id in batch])
            for store, batch in zip(stores, batches, strict=True)
        )
    )

    new = [
        command_id
        for batch, entries in zip(batches, answers, strict=True)
        for command_id, entry in zip(batch, entries, strict=True)
        if entry.verdict is Verdict.NEW
    ]
    assert sorted(new) == ids
    assert await value(database, "SELECT sum(attempts) FROM commands") == len(ids) * len(stores)


async def test_nothing_to_enter(database: Database, inbox: PostgresInboxStore) -> None:
    """Needs no answer of the database."""
    assert await inbox.enter([]) == ()
    assert await count(database, "commands") == 0
