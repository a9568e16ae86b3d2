"""The names of the copies of device stores that count (the object store's `CopyRegister`)."""

from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.sessions.store.copies import KnownCopies
from gateway_worker.storage.db.database import Database

Connection: TypeAlias = "asyncpg.Connection[Any]"

_KNOWN: Final = """
    SELECT s.first_epoch, c.newest, c.previous, coalesce(c.floor, '') AS floor
    FROM sessions AS s LEFT JOIN snapshots AS c ON c.session_id = s.id
    WHERE s.id = $1::text
"""
_NOTE: Final = """
    WITH present AS (
        SELECT id FROM sessions WHERE id = $1::text AND first_epoch <= $3::bigint FOR KEY SHARE
    )
    INSERT INTO snapshots AS c (session_id, newest) SELECT id, $2::text FROM present
    ON CONFLICT (session_id) DO UPDATE SET
        newest = EXCLUDED.newest, previous = c.newest, noted_at = now()
    WHERE greatest(coalesce(c.newest, ''), c.floor) < EXCLUDED.newest
"""
"""$1 a session; $2 a name; $3 the epoch of its maker. The session cannot be deleted meanwhile."""
_FORGET: Final = """
    UPDATE snapshots SET floor = greatest(coalesce(newest, ''), floor), newest = NULL,
        previous = NULL, noted_at = now()
    WHERE session_id = $1::text
"""


class PostgresCopyRegister:
    """Notes copies in the database.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def known(self, session_id: str) -> KnownCopies | None:
        """Return what is known of a session's copies; None if there is no such session.

        Raises:
            DependencyError: The database cannot be asked now.
        """
        async with self._database.direct("looking for copies") as connection:
            return await _known(connection, session_id)

    async def note(self, session_id: str, name: str, *, epoch: int) -> KnownCopies | None:
        """Note a copy that is stored, unless a later one is; returns what is known then.

        None, and nothing is noted, if there is no such session, or only a later namesake.

        Raises:
            DependencyError: It is not known whether the copy is noted; note it again.
        """
        async with self._database.transaction("noting a copy") as connection:
            await connection.execute(_NOTE, session_id, name, epoch)
            known = await _known(connection, session_id)
        return None if known is None or known.first_epoch > epoch else known

    async def forget(self, session_id: str) -> None:
        """Note that all copies so far are void. Raises `DependencyError`; idempotent."""
        async with self._database.direct("forgetting copies") as connection:
            await connection.execute(_FORGET, session_id)


async def _known(connection: Connection, session_id: str) -> KnownCopies | None:
    row = await connection.fetchrow(_KNOWN, session_id)
    return None if row is None else KnownCopies(**dict(row))
