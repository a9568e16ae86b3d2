"""The table of deferred commands; it is written in `changes`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from gateway_worker.commands.deferrals import Waiting
from gateway_worker.sessions.deferred import DeferredKey
from gateway_worker.storage.db.database import Database

_DUE: Final = """
    SELECT d.session_id, d.batch, d.due_at, d.body
    FROM unnest($1::text[]) AS s(id) CROSS JOIN LATERAL (
        SELECT session_id, batch, due_at, body FROM deferred
        WHERE session_id = s.id AND due_at <= $2::timestamptz
        ORDER BY due_at, batch LIMIT $3::bigint
    ) AS d
    ORDER BY d.due_at, d.batch
"""
"""$1 sessions; $2 until when; $3 how many of each."""
_PAGE: Final = """
    SELECT session_id, batch, due_at, body FROM deferred
    WHERE session_id = $1 AND due_at IS NOT NULL
        AND ($2::timestamptz IS NULL OR (due_at, batch) > ($2::timestamptz, $3::text))
    ORDER BY due_at, batch LIMIT $4::bigint
"""
"""$1 a session; $2-3 the place before the first; $4 how many."""
_GET: Final = """
    SELECT session_id, batch, due_at, body FROM deferred
    WHERE session_id = $1 AND batch = $2 AND row = 0
"""
"""$1 a session; $2 a command."""


class PostgresDeferredStore:
    """Finds deferred commands (the commands' `DeferredStore`).

    Every call may raise `DependencyError`.

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def due(
        self, session_ids: Sequence[str], *, until: datetime, limit: int
    ) -> Sequence[Waiting]:
        """Return at most `limit` commands of each session that are due by then, the oldest first.

        The rows of bulks are not among them.
        """
        if not session_ids:
            return ()
        return await self._fetch("looking for due commands", _DUE, list(session_ids), until, limit)

    async def page(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Waiting]:
        """Return what is scheduled, the next due first, from the place `after` on."""
        due_at, command_id = after or (None, None)
        return await self._fetch(
            "reading what is scheduled", _PAGE, session_id, due_at, command_id, limit
        )

    async def get(self, session_id: str, command_id: str) -> Waiting | None:
        """Return one that is scheduled, or None."""
        found = await self._fetch("finding a scheduled command", _GET, session_id, command_id)
        return found[0] if found else None

    async def _fetch(self, doing: str, statement: str, *values: Any) -> list[Waiting]:
        async with self._database.direct(doing) as connection:
            rows = await connection.fetch(statement, *values)
        return [
            Waiting(
                session_id=row["session_id"],
                key=DeferredKey(batch=row["batch"]),
                due_at=row["due_at"],
                body=row["body"],
            )
            for row in rows
        ]
