"""A row that somebody keeps locked, or that alone is not taken: one session waits, and no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.ports import Entry, Verdict
from gateway_worker.sessions.changes import Committed
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from tests.integration.outbox.support import Backend, Life, by_session, living
from tests.integration.storage.db.support import WORKER, message, opened, received, rows_of
from tests.support.databases import execute
from tests.support.eventually import eventually
from tests.support.pooler import pgbouncer

# A state that is not known to be a row's own fault, and that only the rows of one session meet.
PECULIAR = """
    CREATE FUNCTION peculiar() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = 'ZX001'; END $$;
    CREATE TRIGGER peculiar BEFORE INSERT ON messages
        FOR EACH ROW WHEN (NEW.session_id = 's0') EXECUTE FUNCTION peculiar();
"""
NO_LONGER_PECULIAR = "DROP FUNCTION peculiar() CASCADE"


@pytest.fixture(params=["directly", "through a pooler"])
async def way(
    request: pytest.FixtureRequest, database: Database, database_url: str
) -> AsyncIterator[Database]:
    """The worker's connections; `database` leads there directly."""
    if request.param == "directly":
        yield database
        return
    async with (
        pgbouncer(database_url, pool_mode="transaction") as url,
        opened(url) as pooled,
    ):
        yield pooled


@asynccontextmanager
async def held(database: Database, query: str) -> AsyncIterator[None]:
    """Keep rows locked meanwhile, as somebody does who forgot a transaction."""
    async with database.transaction("forgetting a transaction") as other:
        await other.execute(query)
        yield


async def goes_on(life: Life, first: int) -> "list[asyncio.Future[Committed]]":
    """Record changes of `s0`, which wait, and of others, which do not; returns the former."""
    waiting = []
    for number in range(first, first + 3):
        waiting.append(life.recorder.record(message(number, session="s0")))
        others = [life.recorder.record(message(number, session=f"s{n}")) for n in (1, 2, 3)]
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*others)
        assert all(answer.applied for answer in answers)
    assert not any(future.done() for future in waiting)
    assert life.recorder.held_aside == 1
    return waiting


async def test_a_locked_session_holds_up_itself(
    way: Database, database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """The others' changes are committed and told; its own follow in order, each once."""
    async with living(way, settings) as life:
        async with held(database, "SELECT FROM sessions WHERE id = 's0' FOR UPDATE"):
            waiting = await goes_on(life, first=1)
            assert len(await backend.take(9)) == 9
            waiting += await goes_on(life, first=4)
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*waiting)
        assert all(answer.applied for answer in answers)
        assert life.recorder.held_aside == 0
        await life.recorder.record(message(7, session="s0"))
        await life.stop()

    events = by_session(await backend.take_all())
    assert events["s0"] == [1, 2, 3, 4, 5, 6, 7]
    assert all(events[name] == [4, 5, 6] for name in ("s1", "s2", "s3"))


async def test_a_state_that_one_session_meets_holds_up_itself(
    database: Database, database_url: str, settings: BrokerSettings, backend: Backend
) -> None:
    """It is no verdict either: what waits is written once the state is over."""
    await execute(database_url, PECULIAR)
    async with living(database, settings) as life:
        waiting = await goes_on(life, first=1)
        await execute(database_url, NO_LONGER_PECULIAR)
        async with asyncio.timeout(20):
            await asyncio.gather(*waiting)
        await life.stop()

    assert by_session(await backend.take_all())["s0"] == [1, 2, 3]


async def test_a_table_that_is_locked_is_waited_for(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """All sessions wait, and all go on by themselves."""
    names = [f"s{n}" for n in range(5)]
    async with living(database, settings) as life:
        async with held(database, "LOCK TABLE sessions IN EXCLUSIVE MODE"):
            futures = [life.recorder.record(message(1, session=name)) for name in names]
            await eventually(lambda: life.recorder.held_aside == len(names), timeout_seconds=30)
            futures += [life.recorder.record(message(2, session=name)) for name in names]
        async with asyncio.timeout(30):
            await asyncio.gather(*futures)
        await life.stop()

    assert by_session(await backend.take_all()) == {name: [1, 2] for name in names}


async def test_a_locked_command_holds_up_its_session(way: Database, database: Database) -> None:
    """Commands of others are entered meanwhile; its own begin once, when the lock is gone."""
    store = PostgresInboxStore(database=way)
    await store.enter([received("c0", session="s0")])
    inbox, stop = Inbox(store=store), asyncio.Event()
    running = asyncio.create_task(inbox.run(stop))

    async def enter(command_id: str, session: str) -> Entry:
        return await inbox.enter(received(command_id, session=session))

    async with held(database, "SELECT FROM commands WHERE id = 'c0' FOR UPDATE"):
        again = asyncio.create_task(enter("c0", "s0"))
        behind = asyncio.create_task(enter("c1", "s0"))
        await eventually(lambda: inbox.held_aside == 1, timeout_seconds=30)
        async with asyncio.timeout(10):
            others = await asyncio.gather(*(enter(f"d{n}", "s1") for n in range(3)))
        assert not again.done()
        assert not behind.done()
    assert [entry.verdict for entry in others] == [Verdict.NEW] * 3
    async with asyncio.timeout(20):
        assert (await again).verdict is Verdict.INTERRUPTED
        assert (await behind).verdict is Verdict.NEW
    stop.set()
    await running


async def test_what_was_committed_before_others_and_is_offered_behind_them_is_told(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """As by a session that was held aside after a commit whose answer was lost."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    async with living(database, settings) as life:
        await eventually(lambda: life.outbox.reads > 0, reason="it has looked at the table")
        first, second = await changes.commit([message(1, session="s0"), message(1, session="s1")])
        life.relay.offer(second.rows)
        life.relay.offer(first.rows)
        await life.until_published()
        life.relay.offer(rows_of(await changes.commit([message(2, session="s0")])))
        await life.until_published()
        await life.stop()

    assert by_session(await backend.take_all()) == {"s0": [1, 2], "s1": [1]}


async def test_a_read_that_takes_its_time_does_not_overtake_what_is_offered_meanwhile(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """It may find what came after that, whose answer was lost, and has begun behind it."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    async with living(database, settings) as life:
        await eventually(lambda: life.outbox.reads > 0, reason="it has looked at the table")
        await eventually(lambda: not life.relay.is_behind, reason="it has read it")
        names = ("s0", "s1", "s2", "s3")
        lost, *others = await changes.commit([message(1, session=name) for name in names])
        life.relay.offer(others[0].rows)
        life.outbox.may_read.clear()
        reads = life.outbox.reads
        life.relay.offer(others[2].rows)
        life.relay.offer(others[1].rows)
        await eventually(lambda: life.outbox.reads > reads, reason="it reads behind the first two")
        life.relay.offer(lost.rows)
        life.relay.offer(rows_of(await changes.commit([message(2, session="s0")])))
        life.outbox.may_read.set()
        await life.until_published()
        await life.stop()

    arrived = by_session(await backend.take_all())
    assert arrived == {"s0": [1, 2], "s1": [1], "s2": [1], "s3": [1]}
