"""The stores behind a real PgBouncer, which gives each transaction another connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from gateway_worker.errors import DatabaseUnavailableError
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
)
from gateway_worker.storage.db.migrate import pending_revisions, upgrade
from tests.integration.storage.db.support import (
    CHAT,
    WORKER,
    message,
    numbers,
    opened,
    received,
    rows_of,
    session_row,
)
from tests.integration.storage.db.test_outages import calls, locked
from tests.support.pooler import pgbouncer

OURS = "statement_timeout,lock_timeout,idle_in_transaction_session_timeout,jit"
MODES: dict[str, dict[str, object]] = {
    "transaction": {"pool_mode": "transaction"},
    "transaction, our parameters ignored": {
        "pool_mode": "transaction",
        "ignore_startup_parameters": OURS,
    },
    "session": {"pool_mode": "session"},
}
FEW = {"default_pool_size": 3}


@pytest.fixture(params=list(MODES))
async def pooled_url(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[str]:
    """The database through PgBouncer, with fewer connections to the server than a worker has."""
    few = {} if request.param == "session" else FEW
    async with pgbouncer(database_url, **MODES[request.param], **few) as url:
        yield url


@pytest.fixture
async def pooled(pooled_url: str) -> AsyncIterator[Database]:
    """A worker's pool of connections to it."""
    async with opened(
        pooled_url, session_row("s"), session_row("t"), lock_timeout_seconds=0.5
    ) as database:
        yield database


async def test_every_call_works(pooled: Database) -> None:
    """Twice each, and many at the same time: what was prepared is nowhere when it is needed."""
    for call in calls(pooled) * 2:
        await call()
    for _ in range(3):
        await asyncio.gather(*(call() for call in calls(pooled)))


async def test_many_transactions_at_once_go_on_side_by_side(pooled: Database) -> None:
    """No statement is looked for where it is not, and no number is missing."""
    stores = [
        PostgresChangeStore(database=pooled, worker_id=f"{WORKER}{number}") for number in range(2)
    ]
    inbox = PostgresInboxStore(database=pooled)
    history = PostgresMessageStore(database=pooled)

    async def commit(store: PostgresChangeStore, session: str) -> list[int | None]:
        batches = [[message(number, session=session)] for number in range(40)]
        return [one for batch in batches for one in numbers(rows_of(await store.commit(batch)))]

    async def enter() -> None:
        for number in range(40):
            await inbox.enter([received(f"c{number}")])
            await history.find("s", chats=[CHAT], message_id=f"M{number}")

    first, second, *_ = await asyncio.gather(
        commit(stores[0], "s"), commit(stores[1], "t"), enter(), enter()
    )
    assert first == second == list(range(1, 41))


async def test_statements_are_bounded_in_time(pooled: Database) -> None:
    """A pooler takes no parameters for that, so each transaction brings its own."""
    changes = PostgresChangeStore(database=pooled, worker_id=WORKER)
    async with locked(pooled):
        with pytest.raises(DatabaseUnavailableError, match="SQLSTATE 55P03"):
            await changes.commit([message(1)])
    assert (await changes.commit([message(1)]))[0].applied


async def test_nothing_of_a_worker_stays_with_the_servers_connections(
    pooled: Database, pooled_url: str
) -> None:
    """Somebody else has them next."""
    for call in calls(pooled):
        await call()
    query = """
        SELECT current_setting('statement_timeout') AS bound,
            (SELECT count(*) FROM pg_prepared_statements WHERE name <> '') AS statements,
            (SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                WHERE datname = current_database() AND locktype = 'advisory') AS locks
    """
    async with opened(pooled_url, statement_timeout_seconds=7.0) as other:
        for _ in range(10):
            async with other.direct("looking") as connection:
                found = await connection.fetchrow(query)
            assert tuple(found or ()) == ("7s", 0, 0)


async def test_several_workers_migrate_through_it(blank_database_url: str) -> None:
    """The lock that lets one at a time belongs to a transaction, as all else does."""
    async with pgbouncer(blank_database_url, pool_mode="transaction") as url:
        await asyncio.gather(*(upgrade(url) for _ in range(3)))
        assert await pending_revisions(url) == ()
        async with asyncio.timeout(10):
            await upgrade(url)


async def test_a_pooler_in_statement_mode_is_named(database_url: str) -> None:
    """Nothing can be committed together there, and the operator is told what to set."""
    async with (
        pgbouncer(database_url, pool_mode="statement") as url,
        opened(url) as database,
    ):
        with pytest.raises(DatabaseUnavailableError, match=r"statement mode.*pool_mode"):
            await database.check()


async def test_a_pooler_that_comes_between_is_found_out(database_url: str) -> None:
    """As when a name leads to one from now on."""
    async with (
        pgbouncer(database_url, pool_mode="transaction") as url,
        Database(settings=DatabaseSettings(url=SecretStr(url))) as database,
    ):
        database._connector._is_pooled = False  # as it was found before
        with pytest.raises(DatabaseUnavailableError, match="SQLSTATE 08P01"):
            await database.check()
        await database.check()


async def test_what_leads_straight_to_the_server_keeps_its_statements(database: Database) -> None:
    """A worker without a pooler must not pay for one."""
    for _ in range(2):
        async with database.direct("looking") as connection:
            await connection.fetch("SELECT $1::int", 1)
            found = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements")
            assert not connection.is_in_transaction()
    assert found > 0
