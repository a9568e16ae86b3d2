"""Messages from before an account was linked: many at once, in a transaction of their own.

They wait for nothing but the row of their session, and hold nobody up but that session, for as long
as a hundred rows take.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway_worker.sessions.changes import MessageRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import model_text
from gateway_worker.storage.db.erased_people import find_erased

_WRITE: Final = """
    WITH owned AS (
        SELECT id FROM sessions WHERE id = $1::text AND epoch = $2::bigint FOR SHARE
    ), given AS (
        SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[], $9::text[])
            AS u(message_id, chat, direction, sender, content, timestamp, lid)
    ), stored AS (
        INSERT INTO messages
            (session_id, message_id, chat, direction, sender, content, timestamp, past)
        SELECT owned.id, u.message_id, u.chat, u.direction, u.sender, u.content::jsonb,
            u.timestamp, true
        FROM owned CROSS JOIN given AS u
        LEFT JOIN LATERAL (
            SELECT true AS known FROM messages AS m
            WHERE m.session_id = $1::text AND m.message_id = u.message_id
                AND m.direction = u.direction AND (m.sender = u.lid OR u.direction = 'out')
                AND m.chat IN (u.chat, CASE WHEN u.chat = u.sender THEN u.lid END)
            LIMIT 1
        ) AS other ON u.lid IS NOT NULL OR u.direction = 'out'
        WHERE other.known IS NULL
        ORDER BY u.message_id, u.chat, u.direction, u.sender
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM owned
"""
"""$1 a session; $2 its epoch; $3-9 messages, `lid` the writer's other id.

What a command has sent is stored under a device of the account, and so found under any writer. The
lock keeps out who would delete the session, or take it over.
"""


class PostgresPastMessages:
    """Writes messages of histories (the sessions' `PastMessages`).

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def write(self, session_id: str, *, epoch: int, rows: Sequence[MessageRow]) -> bool:
        """Write those that are not stored yet; False if another worker owns the session by now.

        Raises:
            DependencyError: Nothing is written.
            StatementRefusedError: The database refuses something; nothing is written.
        """
        async with self._database.direct("writing a history") as connection:
            owned = await connection.fetchval(_WRITE, session_id, epoch, *_columns(rows))
        return bool(owned)

    async def erased(self, session_id: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """Return which of the ids are of people who were erased, and when; see the port."""
        return await find_erased(self._database, session_id, ids)


def _columns(rows: Sequence[MessageRow]) -> tuple[list[Any], ...]:
    return (
        [row.message_id for row in rows],
        [row.chat for row in rows],
        [row.direction.value for row in rows],
        [row.sender for row in rows],
        [model_text(row.content) for row in rows],
        [row.timestamp for row in rows],
        [row.sender_lid for row in rows],
    )
