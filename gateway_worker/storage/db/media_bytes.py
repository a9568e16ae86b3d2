"""The table of how many bytes of files each tenant has had on each day."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy import TextClause, text

from gateway_worker.media.allowance import Direction
from gateway_worker.storage.db.database import Database

_OF: Final[Mapping[Direction, TextClause]] = {
    Direction.SENT: text(
        "SELECT bytes FROM tenant_media_bytes WHERE tenant = :tenant AND day = :day"
    ),
    Direction.RECEIVED: text(
        "SELECT received_bytes FROM tenant_media_bytes WHERE tenant = :tenant AND day = :day"
    ),
}
_ADD = text("""
    INSERT INTO tenant_media_bytes (tenant, day, bytes, received_bytes)
    VALUES (:tenant, :day, :sent, :received)
    ON CONFLICT (tenant, day) DO UPDATE SET
        bytes = tenant_media_bytes.bytes + excluded.bytes,
        received_bytes = tenant_media_bytes.received_bytes + excluded.received_bytes
""")
_PRUNE = text("""
    DELETE FROM tenant_media_bytes WHERE (tenant, day) IN (
        SELECT tenant, day FROM tenant_media_bytes WHERE day < :before
        LIMIT CAST(:limit AS bigint)
    )
""")


class PostgresByteCounts:
    """Counts bytes (the media package's `ByteCounts`). Every call may raise `DependencyError`.

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def of(self, tenant: str, day: date, direction: Direction) -> int:
        """Return how many a tenant had on a day."""
        async with self._database.statement("reading a tenant's bytes") as connection:
            found = await connection.execute(_OF[direction], {"tenant": tenant, "day": day})
            return found.scalar_one_or_none() or 0

    async def add(self, tenant: str, day: date, direction: Direction, size_bytes: int) -> None:
        """Count more."""
        is_sent = direction is Direction.SENT
        values = {
            "tenant": tenant,
            "day": day,
            "sent": size_bytes if is_sent else 0,
            "received": 0 if is_sent else size_bytes,
        }
        async with self._database.statement("counting a tenant's bytes") as connection:
            await connection.execute(_ADD, values)

    async def prune(self, before: date, limit: int) -> int:
        """Forget older days, so many at most; returns how many rows there were."""
        async with self._database.statement("forgetting tenants' bytes") as connection:
            gone = await connection.execute(_PRUNE, {"before": before, "limit": limit})
            return gone.rowcount
