"""The stores while PostgreSQL is away, silent, busy or changing under them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from gateway_worker.errors import DatabaseUnavailableError, DependencyError
from gateway_worker.runtime.retry import until_answered
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
    PostgresOutboxStore,
    PostgresSessionStore,
    PostgresWorkerStore,
)
from tests.integration.storage.db.support import (
    WORKER,
    finished,
    message,
    numbers,
    opened,
    received,
    rows_of,
    session_row,
    status,
    value,
)
from tests.integration.storage.db.test_lost_answers import SLEEPS
from tests.support.databases import execute, logins_refused
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy
from tests.support.services import random_name

Call = Callable[[], Awaitable[object]]


def calls(database: Database) -> list[Call]:
    """Return one call of each kind, that can be repeated."""
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    sessions = PostgresSessionStore(database=database)
    workers = PostgresWorkerStore(database=database, worker_id=WORKER)
    history = PostgresMessageStore(database=database)
    return [
        lambda: PostgresChangeStore(database=database, worker_id=WORKER).commit([message(1)]),
        lambda: PostgresInboxStore(database=database).enter([received("c")]),
        lambda: PostgresInboxStore(database=database).suspend("c", session_id="s"),
        lambda: outbox.pending(after=0, limit=10),
        lambda: outbox.pending_of(["s"], after=0, limit=10),
        lambda: outbox.retained("s", limit=10),
        outbox.adopt_strays,
        lambda: outbox.mark_published([1]),
        outbox.backlog,
        lambda: outbox.prune(keep_seconds=60, limit=10),
        lambda: sessions.create(session_row("new")),
        lambda: sessions.get("s"),
        lambda: sessions.owned_by(WORKER),
        lambda: sessions.claim("t", WORKER),
        lambda: sessions.take_over(WORKER, limit=1),
        sessions.orphans,
        lambda: sessions.marker_left("s", marker_epoch=1),
        lambda: sessions.markers_passed("s", epoch=1, up_to=1),
        lambda: sessions.place(without=WORKER),
        sessions.room,
        lambda: workers.register(version="1", capacity=1),
        workers.renew,
        workers.drain,
        workers.leave,
        workers.dead_with_leftovers,
        workers.long_gone,
        lambda: workers.forget("w"),
        lambda: history.find("s", chats=["c"], message_id="M1"),
        database.check,
    ]


@asynccontextmanager
async def locked(database: Database, session_id: str = "s") -> AsyncIterator[None]:
    """Hold a session's row meanwhile, as another transaction would."""
    async with database.transaction("holding a row") as other:
        await other.execute("SELECT FROM sessions WHERE id = $1 FOR UPDATE", session_id)
        yield


async def someone_waits(database: Database) -> bool:
    """Tell whether a transaction waits for another's lock."""
    query = """
        SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database())
    """
    return bool(await value(database, query))


async def test_every_call_says_that_the_database_is_away(
    distant: Database, proxy: TcpProxy
) -> None:
    """And works again as soon as it is back, with no restart of anything."""
    for call in calls(distant):
        await call()
    await proxy.refuse()
    await proxy.cut()
    for call in calls(distant):
        with pytest.raises(DependencyError):
            await call()
    await proxy.accept()
    for call in calls(distant):
        await call()


async def test_every_call_says_that_logins_are_refused(
    database: Database, database_url: str
) -> None:
    """It is no refusal of what was to be written, and works again afterwards."""
    async with logins_refused(database_url):
        for call in calls(database):
            with pytest.raises(DatabaseUnavailableError):
                await call()
            with pytest.raises(DatabaseUnavailableError, match="SQLSTATE 55000"):
                await call()
    for call in calls(database):
        await call()


async def test_every_call_says_that_rights_are_missing(
    database: Database, database_url: str
) -> None:
    """Somebody gives them back."""
    role = random_name()
    await execute(database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    parts = urlsplit(database_url)
    address = f"{role}:p@{parts.netloc.rpartition('@')[2]}"
    try:
        async with opened(urlunsplit(parts._replace(netloc=address))) as limited:
            for call in calls(limited):
                if call != limited.check:
                    with pytest.raises(DatabaseUnavailableError, match="SQLSTATE 42501"):
                        await call()
            await execute(database_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
            for call in calls(limited):
                await call()
    finally:
        await execute(database_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_every_call_says_that_tables_are_missing(
    database: Database, database_url: str
) -> None:
    """They come back with a migration, or from a copy."""
    await execute(database_url, "ALTER SCHEMA public RENAME TO hidden")
    for call in calls(database):
        if call != database.check:
            with pytest.raises(DatabaseUnavailableError, match="SQLSTATE 42P01"):
                await call()
    await execute(database_url, "ALTER SCHEMA hidden RENAME TO public")
    for call in calls(database):
        await call()


async def test_statements_that_are_prepared_at_another_server_are_prepared_anew(
    database_url: str,
) -> None:
    """As behind a pooler that gives each transaction another connection."""
    async with opened(database_url, session_row("s"), pool_size=2, pool_overflow=0) as database:
        for call in calls(database):
            await until_answered(call, name="call", within_seconds=10)
            async with database.direct("forgetting") as connection:
                await connection.execute("DEALLOCATE ALL")
            await until_answered(call, name="call", within_seconds=10)


async def test_connections_that_were_cut_while_idle_fail_no_call(
    distant: Database, proxy: TcpProxy
) -> None:
    """They are known to be closed, so they are replaced instead of handed out."""
    for _ in range(3):
        await asyncio.gather(*(distant.check() for _ in range(4)))
        await proxy.cut()
        for call in calls(distant):
            await call()


async def test_a_silent_database_is_given_up(distant: Database, proxy: TcpProxy) -> None:
    """The call ends with an error instead of hanging, and the next ones use other connections."""
    await distant.check()
    proxy.pause()
    with pytest.raises(DependencyError):
        await PostgresChangeStore(database=distant, worker_id=WORKER).commit([message(1)])
    proxy.resume()
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    assert numbers(rows_of(await changes.commit([message(1), message(2)]))) == [1, 2]


async def test_a_transaction_that_is_cut_counts_for_nothing(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """The same commit again is applied, once, with the first numbers."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    async with locked(database):
        commit = asyncio.create_task(changes.commit([message(1), finished("c")]))
        await eventually(lambda: someone_waits(database))
        await proxy.cut()
        with pytest.raises(DependencyError):
            await commit
        await eventually(lambda: _nobody_waits(database))

    answers = await changes.commit([message(1), finished("c")])
    assert [answer.applied for answer in answers] == [True, True]
    assert numbers(rows_of(answers)) == [1, 2]


async def test_a_look_up_that_is_cut_in_the_middle(
    database: Database, distant: Database, proxy: TcpProxy
) -> None:
    """It is no refusal, by whichever way it goes."""

    async def by_sqlalchemy() -> None:
        async with distant.statement("looking") as connection:
            await connection.execute(text("SELECT pg_sleep(0.9)"))

    async def by_the_driver() -> None:
        async with distant.direct("looking") as connection:
            await connection.execute("SELECT pg_sleep(0.9)")

    for call in (by_sqlalchemy, by_the_driver):
        await distant.check()
        looking = asyncio.create_task(call())
        await eventually(lambda: value(database, SLEEPS), reason="it is in the middle")
        await proxy.cut()
        with pytest.raises(DependencyError, match="looking: ConnectionDoesNotExistError"):
            await looking


async def test_a_row_that_stays_locked_is_tried_again_later(
    database: Database, distant: Database
) -> None:
    """It is no refusal: whoever holds the row will let it go."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    async with locked(database):
        with pytest.raises(DependencyError, match="SQLSTATE 55P03"):
            await changes.commit([message(1)])
        assert numbers(rows_of(await changes.commit([message(1, session="t")]))) == [1]
    assert numbers(rows_of(await changes.commit([message(1)]))) == [1]


async def test_a_cancelled_commit_leaves_nothing_locked(
    database: Database, distant: Database
) -> None:
    """The worker stops in the middle of it; what it began ends with its connection."""
    changes = PostgresChangeStore(database=distant, worker_id=WORKER)
    async with locked(database, "t"):
        commit = asyncio.create_task(
            changes.commit([message(1), message(1, session="t")])  # holds s, waits for t
        )
        await eventually(lambda: someone_waits(database))
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
        await eventually(lambda: _nobody_waits(database))
        other = PostgresChangeStore(database=database, worker_id=WORKER)
        assert numbers(rows_of(await other.commit([message(1)]))) == [1]


async def test_the_pool_is_bounded_and_so_is_the_wait_for_it(database_url: str) -> None:
    """Whoever gets no connection in time is told so."""
    settings = DatabaseSettings(
        url=SecretStr(database_url), pool_size=2, pool_overflow=0, pool_timeout_seconds=0.1
    )
    async with (
        Database(settings=settings) as database,
        database.direct("holding one"),
        database.statement("holding another"),
    ):
        with pytest.raises(DependencyError, match="no connection became free in time"):
            await database.check()


async def test_a_primary_that_was_replaced_is_no_refusal(
    database: Database, database_url: str
) -> None:
    """The old one answers still, and only reads: the next connection finds the new one."""
    name = database_url.rpartition("/")[2]
    set_read_only = f"ALTER DATABASE {name} SET default_transaction_read_only"
    await execute(database_url, f"{set_read_only} = on")
    settings = DatabaseSettings(url=SecretStr(database_url))
    async with Database(settings=settings) as fresh:
        changes = PostgresChangeStore(database=fresh, worker_id=WORKER)
        with pytest.raises(DependencyError, match="SQLSTATE 25006"):
            await changes.commit([message(1)])
        async with database.statement("promoting") as connection:
            await connection.execute(text(f"{set_read_only} = off"))
        assert (await changes.commit([message(1)]))[0].applied


async def test_a_migration_beside_a_running_worker_costs_one_repeat(
    database: Database, changes: PostgresChangeStore
) -> None:
    """What the driver has prepared no longer fits; it is prepared anew."""
    for _ in range(7):
        await changes.commit([status()])
    async with database.statement("migrating") as connection:
        await connection.execute(text("ALTER TABLE sessions ALTER COLUMN epoch TYPE integer"))
    with pytest.raises(DependencyError, match="InvalidCachedStatementError"):
        await changes.commit([status()])
    assert numbers(rows_of(await changes.commit([status()]))) == [8]


async def _nobody_waits(database: Database) -> bool:
    return not await someone_waits(database)


async def test_several_hosts_may_have_ipv6_addresses(database_url: str) -> None:
    """The first that answers is used; Python's own parser refuses such a list in newer releases."""
    url = database_url.replace("@", "@[::1]:1,", 1)
    async with Database(settings=DatabaseSettings(url=SecretStr(url))) as database:
        await database.check()


async def test_the_use_of_the_pool_is_known(database: Database) -> None:
    """Whoever runs a worker sees that its connections are all lent."""
    before = database.pool
    async with database.direct("holding a connection"):
        async with database.statement("holding another"):
            both = database.pool
        one = database.pool

    assert (before.used, both.used, one.used, database.pool.used) == (0, 2, 1, 0)
    assert both.limit >= 2


async def test_a_connection_stays_with_what_is_done_again(database: Database) -> None:
    """It goes from block to block without the pool; one that has died meanwhile is replaced."""
    async with database.direct("doing it", again=True) as first:
        pass
    lent = database.pool.used
    async with (
        database.direct("doing it", again=True) as second,
        database.direct("doing it", again=True) as beside,
    ):
        pass
    beside.terminate()  # the first that is given back is kept
    async with database.direct("doing it", again=True) as third:
        assert await third.fetchval("SELECT 1") == 1

    assert lent == 1
    assert second is first
    assert beside not in (second, third)


async def test_a_connection_stays_for_a_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After that it goes the usual way, on which old ones are replaced."""
    monkeypatch.setattr("gateway_worker.storage.db.loans.KEPT_SECONDS", 0.0)
    async with database.direct("doing it", again=True):
        pass

    assert database.pool.used == 0


async def test_a_small_pool_keeps_no_connection(database_url: str) -> None:
    """There it would be missed by the others."""
    async with opened(database_url, pool_size=2, pool_overflow=0) as database:
        async with database.direct("doing it", again=True):
            pass

        assert database.pool.used == 0


async def test_a_silent_host_does_not_keep_the_others_from_being_asked(
    database: Database, database_url: str, proxy: TcpProxy
) -> None:
    """As one that has lost its power: each host has the time for a connection to itself."""
    proxy.pause()
    url = database_url.replace("@", f"@127.0.0.1:{proxy.port},", 1)
    async with opened(
        f"{url}?target_session_attrs=read-write", connect_timeout_seconds=1.0
    ) as several:
        for call in calls(several):
            await call()
    await database.check()
