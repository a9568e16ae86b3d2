"""What the database has to be: each lack is named with its remedy, and seen when it is mended."""

import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from structlog.testing import capture_logs

from gateway_worker.storage.db import Database
from gateway_worker.storage.db.fitness import UnfitDatabaseError
from gateway_worker.storage.db.settings import DatabaseSettings
from tests.integration.storage.db.support import opened
from tests.support.databases import execute, renamed
from tests.support.services import random_name


@pytest.fixture
async def role(database_url: str) -> AsyncIterator[str]:
    """A user without any rights; returns the URL as that user."""
    name = random_name()
    await execute(database_url, f"CREATE ROLE {name} LOGIN PASSWORD 'p'")
    parts = urlsplit(database_url)
    yield urlunsplit(parts._replace(netloc=f"{name}:p@{parts.netloc.rpartition('@')[2]}"))
    await execute(database_url, f"DROP OWNED BY {name}; DROP ROLE {name}")


async def matter(database: Database) -> tuple[str, bool]:
    """Return what is said to be the matter, and whether it passes."""
    with pytest.raises(UnfitDatabaseError) as caught:
        await database.check()
    return caught.value.detail, caught.value.passes


async def test_a_database_as_it_has_to_be(database: Database) -> None:
    """Nothing is the matter."""
    await database.check()


async def test_a_clock_that_is_off_is_told_once(database_url: str) -> None:
    """Commands would be too late at once, or never, and nothing else would say why."""
    ahead = [3_600.0]
    settings = DatabaseSettings.model_validate({"url": database_url})
    with capture_logs() as logs:
        async with Database(settings=settings, clock=lambda: time.time() + ahead[0]) as database:
            for seconds in (3_600.0, 3_600.0, 0.0, 0.0, -7_200.0):
                ahead[0] = seconds
                await database.check()
    told = [(entry["event"], round(entry["ahead"], -3)) for entry in logs if "ahead" in entry]
    assert told == [
        ("database.other_clock", 4_000.0),
        ("database.same_clock", 0.0),
        ("database.other_clock", -7_000.0),
    ]


@pytest.mark.parametrize(
    ("harm", "mend", "named"),
    [
        (
            "ALTER TABLE messages RENAME TO gone",
            "ALTER TABLE gone RENAME TO messages",
            "no table messages is to be seen: run `gateway-worker migrate`",
        ),
        (
            "ALTER TABLE commands RENAME entry TO gone",
            "ALTER TABLE commands RENAME gone TO entry",
            "the schema lacks commands.entry: run `gateway-worker migrate`",
        ),
    ],
)
async def test_what_is_missing_is_named(
    database: Database, database_url: str, harm: str, mend: str, named: str
) -> None:
    """Under way as well, and it is noticed when somebody has mended it."""
    await execute(database_url, harm)
    detail, passes = await matter(database)
    assert named in detail
    assert not passes
    await execute(database_url, mend)
    await database.check()


async def test_rights_that_are_missing_are_named(
    database: Database,
    database_url: str,
    role: str,
) -> None:
    """One by one."""
    user = urlsplit(role).username
    await execute(database_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}")
    await execute(database_url, f"REVOKE INSERT, DELETE ON outbox FROM {user}")
    async with opened(role) as limited:
        detail, _ = await matter(limited)
        assert (
            f"the user {user} has no right to DELETE on outbox, INSERT on outbox: GRANT" in detail
        )
        await execute(database_url, f"GRANT INSERT, DELETE ON outbox TO {user}")
        await limited.check()


async def test_a_schema_that_a_user_may_not_use_is_told(
    database: Database,
    database_url: str,
    role: str,
) -> None:
    """Its tables are as good as not there."""
    await execute(database_url, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    async with opened(role) as limited:
        detail, _ = await matter(limited)
        assert "has USAGE on their schema" in detail


async def test_a_database_that_only_reads_is_waited_for(
    database: Database,
    database_url: str,
) -> None:
    """As after a failover: it may change by itself, so a worker may wait for it."""
    name = urlsplit(database_url).path.strip("/")
    await execute(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with opened(database_url) as fresh:
        detail, passes = await matter(fresh)
    assert "only reads (default_transaction_read_only is on): set it to off" in detail
    assert passes


async def test_another_encoding_is_refused(database_url: str) -> None:
    """Most messages fit no other."""
    name = random_name()
    server = renamed(database_url, "postgres")
    await execute(server, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        async with opened(renamed(database_url, name)) as other:
            detail, passes = await matter(other)
        assert "encoding is LATIN1, and messages need UTF8" in detail
        assert not passes
    finally:
        await execute(server, f"DROP DATABASE {name} WITH (FORCE)")
