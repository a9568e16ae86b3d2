"""Look-ups in the history of messages; it is written in `changes`."""

from collections.abc import Sequence

from sqlalchemy import text

from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_content

_FIND = text("""
    SELECT chat, message_id, direction, sender, content, timestamp, command_id FROM messages
    WHERE session_id = :session_id AND message_id = :message_id AND chat = ANY(:chats)
    ORDER BY timestamp DESC, stored_at DESC LIMIT 100
""")


class PostgresMessageStore:
    """Finds messages (the sessions' `MessageStore`).

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def find(
        self, session_id: str, *, chats: Sequence[str], message_id: str
    ) -> Sequence[MessageRow]:
        """Return what has an id in a chat, the newest first; mostly one, in groups perhaps several.

        NUL characters in texts have become U+FFFD. Raises `DependencyError`.
        """
        async with self._database.statement("finding a message") as connection:
            found = await connection.execute(
                _FIND, {"session_id": session_id, "message_id": message_id, "chats": list(chats)}
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
            )
            for row in rows
        ]
