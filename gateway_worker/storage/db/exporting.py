"""What is stored of one person, read from the oldest to the newest."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg

from gateway_worker.history.ports import Place, StoredRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.history import stored_row

_KEY: Final = "stored_at, timestamp, message_id, chat, direction, sender"
_PAGE: Final = f"""
    SELECT * FROM messages
    WHERE session_id = $1 AND (chat = ANY($2::text[]) OR sender = ANY($2::text[]))
        AND stored_at >= coalesce($3::timestamptz, '-infinity')
        AND ($3::timestamptz IS NULL
            OR ({_KEY}) > ($3, $4::timestamptz, $5::text, $6::text, $7::text, $8::text))
    ORDER BY {_KEY} LIMIT $9
"""  # noqa: S608 - constant terms
_RECEIPTS: Final = """
    SELECT message_id, chat, participant, status, timestamp FROM receipts
    WHERE session_id = $1 AND message_id = ANY($3::text[])
        AND (chat = ANY($2::text[]) OR participant = ANY($2::text[]))
    ORDER BY timestamp, message_id, participant, status
"""


class PostgresPersonStore:
    """Reads what is stored of people (the history's `PersonStore`).

    Every call may raise `DependencyError`.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self, session_id: str, ids: Sequence[str], *, after: Place | None, limit: int
    ) -> Sequence[StoredRow]:
        """Return messages with the person and by the person, the oldest first."""
        place = after or (None,) * len(Place._fields)
        found = await self._fetch(
            "reading a person's messages", _PAGE, session_id, list(ids), *place, limit
        )
        return [stored_row(row) for row in found]

    async def receipts(
        self, session_id: str, ids: Sequence[str], message_ids: Sequence[str]
    ) -> Sequence[Mapping[str, Any]]:
        """Return receipts of these messages, by the person or in the person's chat."""
        found = await self._fetch(
            "reading a person's receipts", _RECEIPTS, session_id, list(ids), list(message_ids)
        )
        return [dict(row) for row in found]

    async def _fetch(self, doing: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self._database.question(doing) as connection:
            return await connection.fetch(statement, *values)
