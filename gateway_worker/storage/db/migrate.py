"""Brings the schema up to date, by whichever of several workers that start at once is first.

The others wait by asking for an advisory lock again and again. They must not wait inside the
server: a migration that builds an index concurrently waits for every open snapshot, theirs
included, and nobody would ever see the deadlock. The lock is that of a transaction, which has no
snapshot while it is idle: one of a session would be lost behind a pooler, and be left there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from gateway_worker.errors import ConfigurationError, DatabaseUnavailableError, DependencyError
from gateway_worker.storage.db.connecting import Connector, make_engine
from gateway_worker.storage.db.failures import translated
from gateway_worker.storage.db.settings import DatabaseSettings

log = structlog.get_logger(__name__)

LOCK_KEY = 0x77612D6D696772  # "wa-migr": any fixed number, the same in every release
POLL_SECONDS = 0.2
WAIT_SECONDS = 300.0
"""How long to wait for another worker's migration."""

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
_BOUNDS = (
    "SELECT set_config('lock_timeout', '30000', true),"
    " set_config('idle_in_transaction_session_timeout', '0', true)"
)
"""While a migration waits for a table, everybody behind it waits too. The lock's transaction is
idle for as long as the migrations take."""
_SCHEMAS_FAULT = frozenset({"0A", "2B", "3F", "42"})
_REMEDIES = {
    "42501": "the user may not change the schema; GRANT CREATE ON SCHEMA to it and make it the"
    " owner of the tables, or set MIGRATIONS_DATABASE_URL to a user who may",
    "3F000": "there is no schema to create tables in; look at the user's search_path",
}
_OTHER_REMEDY = "the schema is not as a migration expects it; has somebody changed it by hand?"
_SCRIPTS = Path(__file__).with_name("migrations")
Answer = TypeVar("Answer")


class MigrationFailedError(ConfigurationError):
    """A migration cannot be made in this database as it is; the text says what to do about it."""


async def upgrade(database_url: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
    """Bring the schema to this release's state; idempotent, and safe to run many at once.

    A schema that is ahead of this release is left alone.

    Args:
        database_url: PostgreSQL URL of a user who may create tables.
        wait_seconds: How long to wait while another worker migrates.

    Raises:
        DependencyError: The database cannot be reached, or the other worker took too long.
        MigrationFailedError: The schema is not as the migration expects it, or the user may not
            change it; what the migration did is rolled back.
    """
    with _failing():
        async with _engine(database_url) as engine, _migration_lock(engine, wait_seconds):
            await _run(engine, _upgrade)


async def downgrade(database_url: str, revision: str) -> None:
    """Take the schema back to `revision` (`base` for an empty database). Raises as `upgrade`."""
    with _failing():
        async with _engine(database_url) as engine, _migration_lock(engine, WAIT_SECONDS):
            await _run(engine, partial(_downgrade, revision=revision))


async def pending_revisions(database_url: str) -> tuple[str, ...]:
    """Return the revisions that the database lacks, in the order to apply them; () if up to date.

    Raises:
        DependencyError: The database cannot be reached.
    """
    async with _engine(database_url) as engine:
        return await _run(engine, _pending)


@contextmanager
def _failing() -> Iterator[None]:
    """Tell a schema that cannot be changed from a database that cannot be used now."""
    try:
        yield
    except DatabaseUnavailableError as error:
        if error.sqlstate is None or error.sqlstate[:2] not in _SCHEMAS_FAULT:
            raise
        remedy = _REMEDIES.get(error.sqlstate, _OTHER_REMEDY)
        raise MigrationFailedError(f"{error.detail}: {remedy}") from error


@asynccontextmanager
async def _engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    settings = DatabaseSettings(url=SecretStr(database_url))
    # Building an index may take as long as it takes.
    engine = make_engine(Connector(settings, is_bounded=False), poolclass=NullPool)
    event.listen(engine.sync_engine, "begin", _bound_locks)
    try:
        with translated(f"PostgreSQL at {settings.address}"):
            yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def _migration_lock(engine: AsyncEngine, wait_seconds: float) -> AsyncIterator[None]:
    """Hold the lock on a connection of its own, in a transaction that does nothing else."""
    async with engine.connect() as connection:
        await _poll_lock(connection, wait_seconds)
        yield


async def _poll_lock(connection: AsyncConnection, wait_seconds: float) -> None:
    waited = 0.0
    while not await connection.scalar(_TRY_LOCK, {"key": LOCK_KEY}):
        await connection.rollback()
        if waited == 0.0:
            log.info("schema.waiting_for_other_worker")
        if waited >= wait_seconds:
            raise DependencyError(f"another worker has been migrating for {wait_seconds:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def _bound_locks(connection: Connection) -> None:
    connection.exec_driver_sql(_BOUNDS)


async def _run(engine: AsyncEngine, work: Callable[[Connection], Answer]) -> Answer:
    async with engine.connect() as connection:
        return await connection.run_sync(work)


def configuration(connection: Connection) -> Config:
    """Return alembic's configuration for one connection."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    pending = _pending(connection)
    connection.rollback()  # what has been read must not hold the first migration's transaction
    if not pending:
        log.info("schema.up_to_date")
        return
    command.upgrade(configuration(connection), "head")
    log.info("schema.upgraded", revisions=list(pending))


def _downgrade(connection: Connection, revision: str) -> None:
    command.downgrade(configuration(connection), revision)
    log.info("schema.downgraded", revision=revision)


def _pending(connection: Connection) -> tuple[str, ...]:
    scripts = ScriptDirectory.from_config(configuration(connection))
    applied = MigrationContext.configure(connection).get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    if unknown := [revision for revision in applied if revision not in known]:
        # A newer release has migrated already, and its schema also serves this one.
        log.warning("schema.ahead", revisions=unknown)
        return ()
    missing = scripts.iterate_revisions("heads", applied or "base")
    return tuple(reversed([script.revision for script in missing]))
