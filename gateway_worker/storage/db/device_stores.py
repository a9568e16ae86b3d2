"""Device stores in PostgreSQL instead of files: a schema for each session.

The library makes its own tables in the schema that the URL's `search_path` names. With a schema per
session there is nothing to tell apart: a device that was linked just before a crash is the only one
there is, what the library keeps without naming a device (which LID is whose phone number) is not
shared between accounts, two hosts never migrate the same tables, and dropping the schema leaves
nothing behind.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import structlog
from pydantic import SecretStr
from sqlalchemy import text

from gateway_worker.errors import ConfigurationError, DependencyError
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.settings import DatabaseSettings

log = structlog.get_logger(__name__)

APPLICATION_NAME: Final = "gateway-host"
_EXISTS: Final = text("SELECT to_regnamespace(:schema) IS NOT NULL")
# The library looks for its table of versions in all schemas, so once another session has one, it
# would not make that of this session.
_CREATE: Final = """
DO $$ BEGIN
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.whatsmeow_version (version INTEGER, compat INTEGER);
END $$
"""
_ENCRYPTED: Final = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
_MAY_CREATE: Final = text("SELECT has_database_privilege(current_database(), 'CREATE')")
_UNDECIDED: Final = frozenset({"prefer", "allow"})
_PREFIX: Final = re.compile(r"[a-z_][a-z0-9_]{0,29}")
_DIGEST_CHARACTERS: Final = 32
_CONNECT_SECONDS: Final = 10


class PostgresDeviceStores:
    """The schemas of device stores. It also stands for the copies, of which none are needed.

    Args:
        database: Where the schemas are; its user may create some.
        url: The same database for the library, as an operator writes it.
        schema: What the schemas' names begin with: lower-case letters, digits and `_`, at most 30.

    Raises:
        ValueError: `schema` is none.
    """

    def __init__(self, *, database: Database, url: str, schema: str) -> None:
        if not _PREFIX.fullmatch(schema):
            raise ValueError("a schema's name has lower-case letters, digits and _, at most 30")
        self._database = database
        self._url = url
        self._prefix = schema

    @classmethod
    @asynccontextmanager
    async def open(cls, *, url: SecretStr, schema: str) -> AsyncIterator["PostgresDeviceStores"]:
        """Open a small pool of connections, and see that schemas can be made.

        A database that does not answer is only logged.

        Raises:
            ConfigurationError: The user may not create schemas.
        """
        settings = DatabaseSettings(url=url, pool_size=2, pool_overflow=2)
        async with Database(settings=settings) as database:
            stores = cls(database=database, url=url.get_secret_value(), schema=schema)
            try:
                async with database.statement("looking at the database") as connection:
                    allowed = await connection.scalar(_MAY_CREATE)
            except DependencyError as error:
                log.warning("device_stores.unavailable", detail=error.detail)
            else:
                if not allowed:
                    raise ConfigurationError(
                        f"the user of the database of device stores at {database.address} may not"
                        " create schemas: GRANT CREATE ON DATABASE"
                    )
            yield stores

    def schema(self, session_id: str) -> str:
        """Return the name of a session's schema; a digest, for any text may be a session's id."""
        digest = hashlib.sha256(session_id.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        return f"{self._prefix}_{digest}"

    async def source(self, session_id: str) -> str:
        """Make a session's schema if it is missing, and return the library's URL for it.

        The URL has the password: it belongs into no log and on no command line.

        Raises:
            DependencyError: The database cannot be used now.
            StatementRefusedError: Its user may not create a schema.
        """
        schema = self.schema(session_id)
        async with self._database.statement("preparing a device store") as connection:
            if not await connection.scalar(_EXISTS, {"schema": schema}):
                await connection.execute(text(_CREATE.format(schema=schema)))
                log.info("device_store.created", session_id=session_id, schema=schema)
            encrypted = bool(await connection.scalar(_ENCRYPTED))
        return library_url(self._url, schema=schema, encrypted=encrypted)

    async def delete(self, session_id: str) -> None:
        """Remove a session's device store. Idempotent; raises as `source`."""
        schema = self.schema(session_id)
        async with self._database.statement("removing a device store") as connection:
            await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))

    # Copies, which the database's own take the place of.

    @property
    def are_needed(self) -> bool:
        """Whether a session that comes from another worker needs its copy to go on."""
        return False

    @property
    def are_portable(self) -> bool:
        """Whether sessions can go to other workers at all."""
        return True

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> None:
        """Do nothing: every worker reaches the store itself."""

    async def restore(
        self,
        session_id: str,
        directory: Path,  # noqa: ARG002 - the port's
        *,
        replace: bool = False,  # noqa: ARG002
    ) -> bool:
        """Say whether there is a store; nothing has to be brought. Raises `DependencyError`."""
        async with self._database.statement("looking for a device store") as connection:
            found = await connection.scalar(_EXISTS, {"schema": self.schema(session_id)})
        return bool(found)


def library_url(url: str, *, schema: str, encrypted: bool) -> str:
    """Return a database's URL as the library's driver reads it.

    The driver knows most of libpq's parameters and hands the others to the server, which takes
    `search_path` so. Where it is to find out by itself whether the server has TLS, it holds one
    connection while it tries another, so it is told.

    Args:
        url: As an operator writes it.
        schema: Where its tables are.
        encrypted: Whether the worker's own connection has TLS; counts if the URL leaves it open.
    """
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parameters.get("sslmode", "prefer") in _UNDECIDED:
        parameters["sslmode"] = "require" if encrypted else "disable"
    parameters.setdefault("connect_timeout", str(_CONNECT_SECONDS))
    parameters |= {"application_name": APPLICATION_NAME, "search_path": schema}
    query = urlencode(parameters, quote_via=quote, safe=",/")
    return urlunsplit(("postgres", parts.netloc, parts.path, query, ""))
