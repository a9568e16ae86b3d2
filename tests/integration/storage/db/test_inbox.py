"""The commands table on a real PostgreSQL: each command happens once, whoever asks how often."""

import asyncio
from collections import Counter

from gateway_contracts import Done, ErrorBody, ErrorCode
from gateway_worker.commands.ports import Verdict
from gateway_worker.sessions.changes import Change, CommandState, Outcome
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import (
    OTHER,
    SEND,
    WORKER,
    count,
    expire,
    failed,
    finished,
    received,
    registered,
    value,
)


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


async def test_a_suspended_command_is_new_to_whoever_gets_it(
    database: Database, inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """With its attempts counted on; behind the suspension nothing was interrupted."""
    other = PostgresInboxStore(database=database)
    await inbox.enter([received("c", epoch=1)])
    for attempts, store in ((2, inbox), (3, other)):
        for _ in range(2):
            await inbox.suspend("c", session_id="s")
        assert await value(database, "SELECT state FROM commands") == "received"
        (entry,) = await store.enter([received("c", epoch=1)])
        assert (entry.verdict, entry.attempts) == (Verdict.NEW, attempts)
        assert (entry.previous_worker, entry.previous_epoch) == (None, None)

    (entry,) = await inbox.enter([received("c", epoch=1)])
    assert (entry.verdict, entry.attempts) == (Verdict.INTERRUPTED, 4)
    await inbox.suspend("c", session_id="s")
    assert (await changes.commit([finished("c")]))[0].applied
    await inbox.suspend("c", session_id="s")
    (entry,) = await inbox.enter([received("c", epoch=1)])
    assert entry.verdict is Verdict.FINISHED


async def test_only_the_run_that_ends_is_suspended(
    database: Database, inbox: PostgresInboxStore
) -> None:
    """Not another session's command, nor a later run of another worker or under another epoch."""
    await inbox.enter([received("c", epoch=1)])
    for run in (
        {"session_id": "t"},
        {"session_id": "s", "worker_id": OTHER},
        {"session_id": "s", "epoch": 2},
        {"session_id": "s", "worker_id": WORKER, "epoch": 0},
    ):
        await inbox.suspend("c", **run)
        assert await value(database, "SELECT state FROM commands") == "executing"
    await inbox.suspend("c", session_id="s", worker_id=WORKER, epoch=1)
    assert await value(database, "SELECT state FROM commands") == "received"


async def test_one_whose_interrupted_run_is_not_traced_stays_interrupted(
    database: Database, inbox: PostgresInboxStore
) -> None:
    """By the run that was, however often it is put back; one that nothing interrupted is new."""
    other = PostgresInboxStore(database=database)
    await inbox.enter([received("c", epoch=1)])
    await value(database, "UPDATE sessions SET epoch = 2 WHERE id = 's' RETURNING 1")
    for _ in range(2):
        (entry,) = await other.enter([received("c", epoch=2, worker=OTHER)])
        assert entry.verdict is Verdict.INTERRUPTED
        assert (entry.previous_worker, entry.previous_epoch) == (WORKER, 1)
        for _ in range(2):
            await other.suspend(
                "c", session_id="s", worker_id=OTHER, epoch=2, stays_interrupted=True
            )

    await other.enter([received("d", epoch=2, worker=OTHER)])
    await other.suspend("d", session_id="s", worker_id=OTHER, epoch=2, stays_interrupted=True)
    (entry,) = await other.enter([received("d", epoch=2, worker=OTHER)])
    assert entry.verdict is Verdict.NEW


async def test_of_a_suspended_command_that_comes_twice_one_is_new(
    inbox: PostgresInboxStore,
) -> None:
    """The other one, in the same batch, has to take it for interrupted."""
    await inbox.enter([received("c", epoch=1)])
    await inbox.suspend("c", session_id="s")
    entries = await inbox.enter([received("c", epoch=1)] * 2)

    assert [(e.verdict, e.attempts) for e in entries] == [
        (Verdict.NEW, 2),
        (Verdict.INTERRUPTED, 3),
    ]
    assert (entries[1].previous_worker, entries[1].previous_epoch) == (WORKER, 1)


async def test_whose_run_was_interrupted_is_told(
    database: Database, inbox: PostgresInboxStore, sessions: PostgresSessionStore
) -> None:
    """The run right before: its worker, and its epoch if it had one."""
    await inbox.enter([received("c", epoch=1), received("n", "nowhere")])
    await registered(database)
    await registered(database, OTHER)
    await expire(database)
    await sessions.take_over(OTHER, limit=10)
    runs = []
    for worker in (OTHER, OTHER, "third"):
        entries = await inbox.enter(
            [received("c", worker=worker, epoch=2), received("n", "nowhere", worker=worker)]
        )
        runs.append([(e.previous_worker, e.previous_epoch) for e in entries])

    assert runs == [
        [(WORKER, 1), (WORKER, None)],
        [(OTHER, 2), (OTHER, None)],
        [(OTHER, 2), (OTHER, None)],
    ]
    assert await value(database, "SELECT worker_id || epoch FROM commands WHERE id = 'c'") == (
        "third2"
    )


async def test_a_former_owner_enters_nothing(
    database: Database, inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """Neither a new command nor one that is there; the others of its batch are entered."""
    await changes.commit([finished("done")])
    await inbox.enter([received("known", epoch=1)])
    await value(database, "UPDATE sessions SET epoch = 2 WHERE id = 's' RETURNING 1")
    batch = [
        received("done", epoch=1),
        received("known", epoch=1),
        received("new", epoch=1),
        received("fine", "t", epoch=1),
        received("late", "unknown", epoch=1),
        received("early", "unknown"),
    ]
    entries = await inbox.enter(batch)

    new = [command.command_id for command, e in zip(batch, entries, strict=True) if e.attempts]
    assert new == ["fine", "early"]
    assert Counter(e.verdict for e in entries) == {Verdict.FENCED: 4, Verdict.NEW: 2}
    known = "SELECT string_agg(id || attempts, ' ' ORDER BY id) FROM commands"
    assert await value(database, known) == "done1 early1 fine1 known1"


async def test_one_id_under_several_epochs_and_sessions_in_one_batch(
    inbox: PostgresInboxStore,
) -> None:
    """What is fenced takes no id away from what is not."""
    entries = await inbox.enter(
        [
            received("c", epoch=9),
            received("c", "t", epoch=9),
            received("c", "t", epoch=1),
            received("c", "s", epoch=1),
            received("c", "t"),
        ]
    )

    assert [e.verdict for e in entries] == [
        Verdict.FENCED,
        Verdict.FENCED,
        Verdict.NEW,
        Verdict.TAKEN,
        Verdict.INTERRUPTED,
    ]
    assert [e.attempts for e in entries] == [0, 0, 1, 0, 2]


async def test_an_uncertain_end_is_an_end_of_its_own(
    database: Database, inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """It is given again like every other."""
    await inbox.enter([received("c", epoch=1)])
    error = ErrorBody.of(ErrorCode.UNCERTAIN, "it may have been sent")
    outcome = Outcome(command_id="c", command_type=SEND, error=error)
    await changes.commit([Change(session_id="s", epoch=1, outcome=outcome)])

    assert await value(database, "SELECT state FROM commands") == "uncertain"
    (entry,) = await inbox.enter([received("c", epoch=1)])
    assert (entry.verdict, entry.outcome) == (Verdict.FINISHED, outcome)


async def test_a_reopened_command_is_new(
    database: Database, inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """With no memory of its attempts, and its next end counts."""
    await inbox.enter([received("c", "nowhere")] * 3)
    await changes.commit([failed("c")])
    failure = {CommandState.FAILED}

    assert await inbox.reopen("c", session_id="nowhere", states=failure) is CommandState.FAILED
    assert await inbox.reopen("c", session_id="nowhere", states=failure) is CommandState.RECEIVED
    (entry,) = await inbox.enter([received("c", "nowhere")])
    assert (entry.verdict, entry.attempts, entry.outcome) == (Verdict.NEW, 1, None)
    (done,) = await changes.commit([finished("c", session="nowhere", epoch=None)])
    assert done.applied
    assert await value(database, "SELECT state FROM commands") == "succeeded"


async def test_what_the_gateway_has_failed_at_is_interrupted_when_it_is_reopened(
    inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """It may have taken effect before; whoever ran it is known, and the uncertain is different."""
    for command_id, code in (("c", ErrorCode.INTERNAL), ("u", ErrorCode.UNCERTAIN)):
        outcome = Outcome(command_id=command_id, command_type=SEND, error=ErrorBody.of(code))
        await changes.commit([Change(session_id="s", epoch=1, outcome=outcome)])
        ends = {CommandState.FAILED, CommandState.UNCERTAIN}
        assert await inbox.reopen(command_id, session_id="s", states=ends) in ends
    entries = await inbox.enter([received("c", epoch=1), received("u", epoch=1)])

    assert [(entry.verdict, entry.attempts) for entry in entries] == [
        (Verdict.INTERRUPTED, 1),
        (Verdict.NEW, 1),
    ]
    assert (entries[0].previous_worker, entries[0].previous_epoch) == (WORKER, 1)


async def test_only_the_named_ends_of_the_session_itself_are_reopened(
    database: Database, inbox: PostgresInboxStore, changes: PostgresChangeStore
) -> None:
    """Neither another session's, nor what runs, nor what has succeeded."""
    await inbox.enter([received("runs", epoch=1)])
    await changes.commit([failed("failed"), finished("done")])
    failure = {CommandState.FAILED}

    assert await inbox.reopen("failed", session_id="s", states=failure) is None
    assert await inbox.reopen("runs", session_id="s", states=failure) is CommandState.EXECUTING
    assert await inbox.reopen("done", session_id="s", states=failure) is CommandState.SUCCEEDED
    assert await inbox.reopen("none", session_id="s", states=failure) is None
    states = "SELECT string_agg(state, ' ' ORDER BY id) FROM commands"
    assert await value(database, states) == "succeeded failed executing"
