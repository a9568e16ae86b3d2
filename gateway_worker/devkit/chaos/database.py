"""Changes what a database lets anybody do, as an operator or a failover would."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from gateway_worker.storage.db import Database, DatabaseSettings

CLOSED: Final = "ALLOW_CONNECTIONS false"
OPEN: Final = "ALLOW_CONNECTIONS true"
READS_ONLY: Final = "SET default_transaction_read_only = on"
WRITES: Final = "RESET default_transaction_read_only"
_BESIDE: Final = "postgres"
"""A database that every server has: nobody gets into the one that is closed."""
_END: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = $1 AND pid <> pg_backend_pid()
"""


async def alter_database(url: str, *changes: str, ends_connections: bool = False) -> None:
    """Apply changes to a database.

    Args:
        url: The database; its user owns it.
        changes: What comes after its name in ALTER DATABASE.
        ends_connections: End those that there are, so that the changes hold for all.
    """
    parts = urlsplit(url)
    name = parts.path.strip("/")
    beside = SecretStr(urlunsplit(parts._replace(path=f"/{_BESIDE}")))
    async with (
        Database(settings=DatabaseSettings(url=beside)) as database,
        database.direct("altering a database") as connection,
    ):
        for change in changes:
            await connection.execute(f'ALTER DATABASE "{name}" {change}')
        if ends_connections:
            await connection.execute(_END, name)
