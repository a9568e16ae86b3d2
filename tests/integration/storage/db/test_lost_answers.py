"""Commits that took effect although nobody was told: the connection was cut in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from gateway_contracts import CommandFailed, CommandResolved, MessageReceipt, parse_event
from gateway_worker.commands.ports import Verdict
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.changes import Change, Committed, Transfer
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
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
    numbers,
    receipt,
    received,
    registered,
    rows_of,
    status,
    uncertain,
    value,
)
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.proxy import TcpProxy

Answer = TypeVar("Answer")

# The server takes its time for the last step, so that the connection can be cut in the middle of
# it; it does not look at the connection meanwhile, and so commits.
SLOW_STEPS = """
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('dawdle.done', true) IS DISTINCT FROM txid_current()::text THEN
            PERFORM set_config('dawdle.done', txid_current()::text, true);
            PERFORM pg_sleep(0.6);
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON outbox
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle();
    CREATE TRIGGER slow_entry AFTER INSERT ON commands
        FOR EACH ROW WHEN (NEW.entry IS NOT NULL) EXECUTE FUNCTION dawdle();
    CREATE CONSTRAINT TRIGGER slow_handover AFTER UPDATE OF worker_id ON sessions
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle();
"""
HURRY = "DROP FUNCTION dawdle() CASCADE"


SLEEPS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event = 'PgSleep' AND datname = current_database()
"""


@pytest.fixture
async def slow(database: Database) -> None:
    """Let commits of events and entries of commands take a while."""
    await run(database, SLOW_STEPS)


async def run(database: Database, script: str) -> None:
    """Run some statements."""
    async with database.direct("preparing") as connection:
        await connection.execute(script)


async def cut_within(proxy: TcpProxy, database: Database, call: Awaitable[object]) -> None:
    """Cut the connection while the server is busy with its last step."""
    task = asyncio.ensure_future(call)
    await eventually(lambda: value(database, SLEEPS), reason="the server takes its time")
    await proxy.cut()
    with pytest.raises(DependencyError):
        await task


async def until_done(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat a call as the batcher does."""
    while True:
        try:
            return await call()
        except DependencyError:
            await pace(0.02)


def every_kind() -> Sequence[Change]:
    """Return one change of each kind, owned ones and one that is nobody's."""
    return [
        message(1),
        finished("c1", message=message(2).message),
        receipt(2),
        status(),
        failed("c2"),
        message(1, session="t"),
        replace(status(), session=None, once=True),
    ]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("overtakes", [True, False], ids=["at once", "later"])
async def test_a_commit_whose_answer_was_lost_is_recognised(
    database: Database, distant: Database, proxy: TcpProxy, *, overtakes: bool
) -> None:
    """The repeat gets the rows that are stored, also if it comes while the first still commits."""
    changes, batch = PostgresChangeStore(database=distant, worker_id=WORKER), every_kind()
    await cut_within(proxy, database, changes.commit(batch))
    if not overtakes:
        await eventually(lambda: count(database, "outbox"))
    answers = await until_done(lambda: changes.commit(batch))

    assert [answer.applied for answer in answers] == [True] * len(batch)
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    assert rows_of(answers) == list(await outbox.pending(after=0, limit=100))
    assert numbers(rows_of(answers)) == [1, 2, 3, 4, None, 1, 5]
    assert await value(database, "SELECT sum(last_sequence) FROM sessions") == 6


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("overtakes", [True, False], ids=["at once", "later"])
async def test_what_is_nobodys_is_recognised_without_a_row_to_lock(
    database: Database, distant: Database, proxy: TcpProxy, *, overtakes: bool
) -> None:
    """An outcome that is announced again, for a session that does not exist, goes out once."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    batch = [Change(session_id="nowhere", epoch=None, events=failed("c").events)]
    await cut_within(proxy, database, changes.commit(batch))
    if not overtakes:
        await eventually(lambda: count(database, "outbox"))
    answers = await until_done(lambda: changes.commit(batch))

    assert len(rows_of(answers)) == 1
    assert await count(database, "outbox") == 1


@pytest.mark.usefixtures("slow")
async def test_what_was_resolved_is_announced_with_what_has_shown_it(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """The event that nobody has asked for is among the rows that are found again."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    await changes.commit([uncertain("c", 1)])
    news = receipt(1)
    await cut_within(proxy, database, changes.commit([news]))
    answers = await until_done(lambda: changes.commit([news]))

    told = [parse_event(row.body) for row in rows_of(answers)]
    assert [type(event) for event in told] == [CommandResolved, MessageReceipt]
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    assert rows_of(answers) == list(await outbox.pending(after=0, limit=100))[1:]


@pytest.mark.usefixtures("slow")
async def test_an_uncertain_end_that_was_resolved_at_once_is_announced_with_that(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """In the order in which they were written: first the end, then what has become of it."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    await changes.commit([receipt(1)])
    end = uncertain("c", 1)
    await cut_within(proxy, database, changes.commit([end]))
    answers = await until_done(lambda: changes.commit([end]))

    told = [parse_event(row.body) for row in rows_of(answers)]
    assert [type(event) for event in told] == [CommandFailed, CommandResolved]
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    assert rows_of(answers) == list(await outbox.pending(after=0, limit=100))[1:]


@pytest.mark.usefixtures("slow")
async def test_a_deletion_whose_answer_was_lost_is_recognised(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """The session is gone, and its last event is still to be announced."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    batch = [message(1), finished("d", delete=True), message(2)]
    await cut_within(proxy, database, changes.commit(batch))
    answers = await until_done(lambda: changes.commit(batch))

    assert [answer.fenced for answer in answers] == [False, False, True]
    assert numbers(rows_of(answers)) == [1, 2]


@pytest.mark.usefixtures("slow")
async def test_a_lost_commit_that_comes_again_in_parts_is_recognised(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """One session is held aside meanwhile, and the other goes on; none is written twice."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    late, early = [message(1), message(2)], [message(1, session="t")]
    await cut_within(proxy, database, changes.commit([*late, *early]))
    await eventually(lambda: count(database, "outbox"))
    await run(database, "ALTER TABLE outbox DISABLE TRIGGER slow_commit")
    first = await until_done(lambda: changes.commit(early, briefly=True))
    await changes.commit([message(2, session="t")])
    second = await until_done(lambda: changes.commit(late, briefly=True))

    assert numbers(rows_of(first)) == [1]
    assert [answer.applied for answer in second] == [True, True]
    assert numbers(rows_of(second)) == [1, 2]
    assert await count(database, "outbox") == 4


@pytest.mark.usefixtures("slow")
async def test_a_lost_entry_that_comes_again_in_parts_is_recognised(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """A command that nobody has begun is not taken for one that was interrupted."""
    inbox = PostgresInboxStore(database=distant)
    batch = [received("a"), received("b", session="t"), received("c")]
    await cut_within(proxy, database, inbox.enter(batch))
    await eventually(lambda: count(database, "commands"))
    await run(database, "DROP TRIGGER slow_entry ON commands")
    (b,) = await until_done(lambda: inbox.enter(batch[1:2], briefly=True))
    await inbox.enter([received("d", session="t")])
    a, c = await until_done(lambda: inbox.enter([batch[0], batch[2]], briefly=True))

    assert {a.verdict, b.verdict, c.verdict} == {Verdict.NEW}
    assert {a.attempts, b.attempts, c.attempts} == {1}


@pytest.mark.usefixtures("slow")
async def test_repetitions_stay_repetitions(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """What was stored before the lost commit gets no events out of it."""
    await run(database, "ALTER TABLE outbox DISABLE TRIGGER slow_commit")
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    await changes.commit([message(1)])
    await run(database, "ALTER TABLE outbox ENABLE TRIGGER slow_commit")
    batch = [message(1), message(2), message(2)]
    await cut_within(proxy, database, changes.commit(batch))
    answers: Sequence[Committed] = await until_done(lambda: changes.commit(batch))

    assert [answer.applied for answer in answers] == [False, True, False]
    assert numbers(rows_of(answers)) == [2]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("overtakes", [True, False], ids=["at once", "later"])
async def test_an_entry_whose_answer_was_lost_is_no_interruption(
    database: Database, distant: Database, proxy: TcpProxy, *, overtakes: bool
) -> None:
    """Nobody has begun the command, so the same batch finds it new; another worker does not."""
    inbox, batch = PostgresInboxStore(database=distant), [received("a"), received("b")]
    await cut_within(proxy, database, inbox.enter(batch))
    if not overtakes:
        await eventually(lambda: count(database, "commands"))
    entries = await until_done(lambda: inbox.enter(batch))
    assert [(entry.verdict, entry.attempts) for entry in entries] == [(Verdict.NEW, 1)] * 2

    await run(database, HURRY)
    for store in (inbox, PostgresInboxStore(database=database)):
        entries = await store.enter(batch)
        assert {entry.verdict for entry in entries} == {Verdict.INTERRUPTED}
    assert [entry.attempts for entry in entries] == [3, 3]


@pytest.mark.usefixtures("slow")
async def test_an_entry_of_a_killed_worker_is_an_interruption(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """Its successor cannot know whether the answer was lost or the command begun."""
    await cut_within(proxy, database, PostgresInboxStore(database=distant).enter([received("a")]))
    await eventually(lambda: count(database, "commands"))
    (entry,) = await PostgresInboxStore(database=database).enter([received("a")])
    assert (entry.verdict, entry.attempts) == (Verdict.INTERRUPTED, 2)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "silent"])
@pytest.mark.parametrize("overtakes", [True, False], ids=["at once", "later"])
async def test_a_transfer_whose_answer_was_lost_is_recognised(
    database: Database, distant: Database, proxy: TcpProxy, *, overtakes: bool, announced: bool
) -> None:
    """It happens once, and the new owner's events are not ours to publish."""
    await registered(database, OTHER)
    await run(database, SLOW_STEPS)
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    silent = Change(session_id="s", epoch=1, transfer=Transfer(to_worker=OTHER))
    batch = [message(1), handed(OTHER) if announced else silent, message(2)]
    await cut_within(proxy, database, changes.commit(batch))
    if not overtakes:
        await eventually(lambda: value(database, "SELECT epoch = 2 FROM sessions WHERE id = 's'"))
    answers = await until_done(lambda: changes.commit(batch))

    assert [(answer.transferred, answer.fenced) for answer in answers] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    assert rows_of(answers) == []
    row = await PostgresSessionStore(database=database).get("s")
    assert row is not None
    assert (row.worker_id, row.epoch, len(row.pending)) == (OTHER, 2, 1)
    theirs = PostgresOutboxStore(database=database, worker_id=OTHER)
    assert numbers(await theirs.pending(after=0, limit=9)) == [1, 2][: 1 + announced]


async def test_what_was_taken_over_before_the_repeat_is_left_to_the_taker(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """The commit counts, and its events are published once, by their new owner."""
    await registered(database)
    await registered(database, OTHER)
    await run(database, SLOW_STEPS)
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    batch = [message(1), message(2)]
    await cut_within(proxy, database, changes.commit(batch))
    await eventually(lambda: count(database, "outbox"))
    await run(database, HURRY)
    await expire(database)
    await PostgresSessionStore(database=database).take_over(OTHER, limit=10)
    answers = await until_done(lambda: changes.commit(batch))

    assert [(answer.applied, answer.fenced) for answer in answers] == [(True, False)] * 2
    assert rows_of(answers) == []


async def test_a_takeover_whose_answer_was_lost_is_found_among_ones_own(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """Asked again it takes nothing twice; the taker's sessions have what was taken."""
    await registered(database)
    await registered(database, OTHER)
    await expire(database)
    await run(database, SLOW_STEPS)
    sessions = PostgresSessionStore(database=distant)
    await cut_within(proxy, database, sessions.take_over(OTHER, limit=10))
    await eventually(lambda: value(database, "SELECT min(epoch) = 2 FROM sessions"))

    assert list(await until_done(lambda: sessions.take_over(OTHER, limit=10))) == []
    owned = await sessions.owned_by(OTHER)
    assert [(row.session_id, row.epoch, len(row.pending)) for row in owned] == [
        ("s", 2, 1),
        ("t", 2, 1),
    ]


async def test_a_re_entry_whose_answer_was_lost_is_no_interruption(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """A command that was suspended stays new until it is known to have begun, and counts once."""
    inbox, batch = PostgresInboxStore(database=distant), [received("a", epoch=1)]
    await inbox.enter(batch)
    await inbox.suspend("a", session_id="s", worker_id=WORKER, epoch=1)
    await run(
        database,
        SLOW_STEPS + "CREATE TRIGGER slow_re_entry AFTER UPDATE ON commands"
        " FOR EACH ROW EXECUTE FUNCTION dawdle();",
    )
    await cut_within(proxy, database, inbox.enter(batch))
    await eventually(lambda: value(database, "SELECT attempts = 2 FROM commands"))
    (entry,) = await until_done(lambda: inbox.enter(batch))
    assert (entry.verdict, entry.attempts) == (Verdict.NEW, 2)
    (entry,) = await inbox.enter(batch)
    assert (entry.verdict, entry.attempts) == (Verdict.INTERRUPTED, 3)
