"""Look-ups in the history of messages; it is written in `changes`."""

from sqlalchemy import text

from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_content

_FIND = text("""
    SELECT chat, message_id, direction, sender, content, timestamp, command_id FROM messages
    WHERE session_id = :session_id AND message_id = :message_id
    ORDER BY timestamp DESC, stored_at DESC LIMIT 1
""")
_COMMAND_OF = text("""
    SELECT command_id FROM messages
    WHERE session_id = :session_id AND message_id = :message_id AND command_id IS NOT NULL
    ORDER BY timestamp DESC LIMIT 1
""")


class PostgresMessageStore:
    """Finds messages (the sessions' `MessageStore`).

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def find(self, session_id: str, message_id: str) -> MessageRow | None:
        """Return a message of the session by its id, the newest if several chats share the id.

        NUL characters in its text have become U+FFFD. Raises `DependencyError`.
        """
        async with self._database.statement("finding a message") as connection:
            found = await connection.execute(
                _FIND, {"session_id": session_id, "message_id": message_id}
            )
            row = found.one_or_none()
        if row is None:
            return None
        return MessageRow(
            chat=row.chat,
            message_id=row.message_id,
            direction=Direction(row.direction),
            sender=row.sender,
            content=read_content(row.content),
            timestamp=row.timestamp,
            command_id=row.command_id,
        )

    async def command_of(self, session_id: str, message_id: str) -> str | None:
        """Return the id of the command that sent a message, or None. Raises `DependencyError`."""
        async with self._database.statement("finding a message's command") as connection:
            command_id: str | None = await connection.scalar(
                _COMMAND_OF, {"session_id": session_id, "message_id": message_id}
            )
        return command_id
