"""Look-ups in the history of messages; it is written in `changes`."""

from collections.abc import Sequence

from sqlalchemy import text

from gateway_worker.sessions.changes import Direction, MessageRow, TimerRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_content

FIND = text("""
    SELECT m.chat, m.message_id, m.direction, m.sender, m.content, m.timestamp, m.command_id,
        change.content AS change
    FROM messages AS m
    LEFT JOIN LATERAL (
        SELECT c.content FROM messages AS c
        WHERE c.session_id = m.session_id AND c.chat = m.chat AND c.content ? 'target'
            AND c.content -> 'target' ->> 'message_id' = m.message_id
            AND CASE m.direction
                WHEN 'out' THEN (c.content -> 'target' ->> 'from_me')::boolean
                ELSE c.content -> 'target' ->> 'participant' = m.sender
            END
            AND (c.content ->> 'kind' = 'revoke' OR (
                c.content ->> 'kind' = 'edit' AND c.direction = m.direction
                AND (c.direction = 'out' OR c.sender = m.sender)
            ))
        ORDER BY c.content ->> 'kind' = 'revoke' DESC, c.timestamp DESC, c.stored_at DESC LIMIT 1
    ) AS change ON true
    WHERE m.session_id = :session_id AND m.message_id = :message_id AND m.chat = ANY(:chats)
    ORDER BY m.timestamp DESC, m.stored_at DESC LIMIT 100
""")
"""An edit counts if the message's own writer has made it; nothing comes after a deletion."""

TIMERS = text("SELECT chat, seconds, set_at FROM chat_timers WHERE session_id = :session_id")


KNOWS = text("""
    SELECT EXISTS (SELECT FROM chats WHERE session_id = :session_id AND chat = ANY(:chats))
""")


class PostgresMessageStore:
    """Finds messages (the sessions' `MessageStore`).

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def timers(self, session_id: str) -> Sequence[TimerRow]:
        """Return what each chat of a session is set to. Raises `DependencyError`."""
        async with self._database.statement("reading timers") as connection:
            found = await connection.execute(TIMERS, {"session_id": session_id})
            rows = found.all()
        return [TimerRow(chat=row.chat, seconds=row.seconds, set_at=row.set_at) for row in rows]

    async def find(
        self, session_id: str, *, chats: Sequence[str], message_id: str
    ) -> Sequence[MessageRow]:
        """Return what has an id in a chat, the newest first; mostly one, in groups perhaps several.

        Each comes with the edit or deletion that decides what it says now. NUL characters in texts
        have become U+FFFD. Raises `DependencyError`.
        """
        async with self._database.statement("finding a message") as connection:
            found = await connection.execute(
                FIND, {"session_id": session_id, "message_id": message_id, "chats": list(chats)}
            )
            rows = found.all()
        return [
            MessageRow(
                chat=row.chat,
                message_id=row.message_id,
                direction=Direction(row.direction),
                sender=row.sender,
                content=read_content(row.content),
                timestamp=row.timestamp,
                command_id=row.command_id,
                change=None if row.change is None else read_content(row.change),
            )
            for row in rows
        ]

    async def knows(self, session_id: str, *, chats: Sequence[str]) -> bool:
        """Whether there has been a message in one of these chats. Raises `DependencyError`."""
        async with self._database.statement("looking for a chat") as connection:
            return bool(
                await connection.scalar(KNOWS, {"session_id": session_id, "chats": list(chats)})
            )
