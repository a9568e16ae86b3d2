"""Up to where chats are read: of several words the one that reaches farthest counts."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.storage.db.changes.other_ids import are_number_and_lid, are_two_people
from gateway_worker.storage.db.changes.steps import Step
from gateway_worker.storage.db.documents import storable_text

Connection: TypeAlias = "asyncpg.Connection[Any]"

WRITE_READ: Final = f"""
    INSERT INTO chat_reads AS r (session_id, chat, read_at)
    SELECT $1::text, $2::text, coalesce(
        (SELECT max(m.timestamp) FROM messages AS m
            WHERE m.session_id = $1 AND m.message_id = ANY($3::text[]) AND m.direction = 'in'
                AND (m.chat = $2 OR EXISTS (
                    SELECT FROM chats AS a JOIN chats AS b
                        ON b.session_id = a.session_id AND b.chat_id = a.chat_id
                    WHERE a.session_id = $1 AND a.chat = $2 AND b.chat = m.chat
                ) OR {are_number_and_lid("m.chat", "$2::text")}
                    AND NOT {are_two_people("$1::text", "m.chat", "$2::text")})),
        $4::timestamptz)
    ON CONFLICT (session_id, chat) DO UPDATE SET read_at = greatest(r.read_at, EXCLUDED.read_at)
"""  # noqa: S608 - constant terms
"""$1 a session that is locked; $2 a chat; $3 messages in it, under whichever of its ids; $4 when
they were read."""


async def write_reads(connection: Connection, steps: Iterable[Step]) -> None:
    """Note what the account has read.

    Args:
        connection: The transaction; the sessions are locked.
        steps: What takes effect, in order.
    """
    for step in steps:
        if (read := step.change.read) is not None:
            await connection.execute(
                WRITE_READ,
                step.change.session_id,
                storable_text(read.chat),
                list(map(storable_text, read.message_ids)),
                read.at,
            )
