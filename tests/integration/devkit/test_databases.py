"""Databases of tests: migrated, separate, gone afterwards."""

import asyncpg

from gateway_worker.devkit.services import Services
from tests.support.databases import fresh_database


async def tables(database_url: str) -> set[str]:
    """Return the names of the tables in a database."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_the_database_of_a_test_is_migrated(database_url: str) -> None:
    """The tables of the worker are there."""
    assert {"sessions", "commands", "outbox"} <= await tables(database_url)


async def test_two_databases_share_nothing(
    database_url: str, services: Services, database_template: str
) -> None:
    """What one test writes no other sees."""
    async with fresh_database(services.database_url, template=database_template) as other_url:
        connection = await asyncpg.connect(database_url)
        await connection.execute("create table only_here (x int)")
        await connection.close()

        assert "only_here" in await tables(database_url)
        assert "only_here" not in await tables(other_url)
