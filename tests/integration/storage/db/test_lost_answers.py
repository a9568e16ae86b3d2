"""Commits that took effect although nobody was told: the connection was cut in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from gateway_worker.commands.ports import Verdict
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresOutboxStore,
)
from tests.integration.storage.db.support import (
    WORKER,
    count,
    failed,
    finished,
    message,
    numbers,
    receipt,
    received,
    rows_of,
    status,
    value,
)
from tests.support.eventually import eventually
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
            await asyncio.sleep(0.02)


def every_kind() -> Sequence[Change]:
    """Return one change of each kind, owned ones and one that is nobody's."""
    return [
        message(1),
        finished("c1", message=message(2).message),
        receipt(2),
        status(),
        failed("c2"),
        message(1, session="t"),
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
    assert numbers(rows_of(answers)) == [1, 2, 3, 4, None, 1]
    assert await value(database, "SELECT sum(last_sequence) FROM sessions") == 5


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
