"""Fills a database with a history, by statements of its own: as many messages as are wanted.

Sessions are of different sizes, the first has a tenth of all messages; chats too, and every fourth
person has two ids. The messages of all sessions come mixed, as they do, a second apart.
"""

from dataclasses import dataclass
from typing import Any, Final

import asyncpg

SESSIONS: Final = 100
CHATS: Final = 2_000
"""Of each session; the first has ten times as many."""
_CHUNK: Final = 500_000

_SESSION = "'session-' || lpad((CASE WHEN i % 10 = 0 THEN 0 ELSE i % {sessions} END)::text, 4, '0')"
_NUMBER = "floor(power(r, 3) * CASE WHEN i % 10 = 0 THEN {chats} * 10 ELSE {chats} END)::int"
_FILL = f"""
    WITH drawn AS MATERIALIZED (
        SELECT i, random() AS r, random() AS q, random() AS k
        FROM generate_series($1::bigint, $2::bigint) AS i
    ), placed AS (
        SELECT i, q, k, {_SESSION} AS session_id, {_NUMBER} AS number FROM drawn
    ), told AS (
        SELECT *, CASE
            WHEN number % 20 = 7 THEN (120363000000000000 + number)::text || '@g.us'
            WHEN number % 4 = 1 AND i % 2 = 0 THEN (100000000000000 + number)::text || '@lid'
            ELSE (15550000000 + number)::text || '@s.whatsapp.net' END AS chat,
            CASE WHEN q < 0.45 THEN 'out' ELSE 'in' END AS direction
        FROM placed
    )
    INSERT INTO messages (session_id, message_id, chat, direction, sender, content, timestamp,
        command_id, stored_at, client_ref)
    SELECT session_id, '3EB0' || upper(substr(md5(i::text), 1, 18)), chat, direction,
        CASE WHEN direction = 'out' THEN '15559990000:1@s.whatsapp.net' ELSE chat END,
        CASE WHEN k < 0.85 THEN jsonb_build_object('kind', 'text', 'text',
                repeat('some words ', 1 + (k * 14)::int))
            WHEN k < 0.93 THEN jsonb_build_object('kind', 'image', 'caption', 'a picture', 'media',
                jsonb_build_object('state', 'ready', 'media_id', md5(i::text), 'size', 200000,
                    'mime_type', 'image/jpeg', 'sha256', repeat(md5(i::text), 2)))
            WHEN k < 0.999 THEN jsonb_build_object('kind', 'reaction', 'emoji', '👍', 'target',
                jsonb_build_object('message_id',
                    '3EB0' || upper(substr(md5((i - 100)::text), 1, 18)), 'chat', chat,
                    'from_me', direction = 'in'))
            ELSE jsonb_build_object('kind', 'location', 'latitude', 1.5, 'longitude', 2.5) END,
        to_timestamp($3::float8 + i), CASE WHEN direction = 'out' THEN 'command-' || i END,
        to_timestamp($3::float8 + i + 1),
        CASE WHEN direction = 'out' AND i % 3 = 0 THEN 'ref-' || i END
    FROM told ON CONFLICT DO NOTHING
"""
_RECEIPTS = """
    INSERT INTO receipts (session_id, message_id, chat, participant, status, timestamp)
    SELECT session_id, message_id, chat, chat, status, timestamp + interval '5 s'
    FROM messages CROSS JOIN unnest(ARRAY['delivered', 'read']) AS status
    WHERE direction = 'out' AND stored_at >= to_timestamp($1::float8)
"""
_COMMANDS = """
    INSERT INTO commands (id, session_id, type, state, outcome, worker_id, epoch, attempts,
        received_at, finished_at, client_ref)
    SELECT command_id, session_id, 'wa.message.send.v1', 'succeeded', jsonb_build_object('result',
            jsonb_build_object('kind', 'message', 'message_id', message_id, 'chat', chat,
                'timestamp', timestamp)),
        'w', 1, 1, stored_at, stored_at, client_ref
    FROM messages WHERE command_id IS NOT NULL AND stored_at >= to_timestamp($1::float8)
"""
_CHATS = """
    INSERT INTO chats (session_id, chat, chat_id, since)
    SELECT DISTINCT session_id, chat, CASE WHEN chat LIKE '%@lid'
            THEN (15550000000 + split_part(chat, '@', 1)::bigint - 100000000000000)::text
                || '@s.whatsapp.net'
            ELSE chat END, to_timestamp($1::float8)
    FROM messages WHERE chat NOT LIKE '%@g.us'
"""
_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = ANY($1::text[])
"""
_TABLES: Final = ["messages", "receipts", "commands", "chats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What there is: how many messages, the first second, and that after the last."""

    rows: int
    begins: float
    ends: float


async def fill(connection: "asyncpg.Connection[Any]", *, rows: int, ends: float) -> Filled:
    """Make messages up to a moment, the newest tenth with receipts and commands.

    Indexes are built afterwards, which takes a fraction of the time.
    """
    begins = ends - rows - 1
    await connection.execute("SELECT setseed(0.5)")
    await connection.execute("SET maintenance_work_mem = '512MB'")
    indexes = await connection.fetch(_INDEXES, _TABLES)
    for table in _TABLES:
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")
    for index in indexes:
        await connection.execute(f"DROP INDEX IF EXISTS {index['indexname']}")
    words = {"sessions": SESSIONS, "chats": CHATS}
    for first in range(1, rows + 1, _CHUNK):
        last = min(rows, first + _CHUNK - 1)
        await connection.execute(_FILL.format(**words), first, last, begins)
    recent = ends - rows / 10
    await connection.execute(_RECEIPTS, recent)
    await connection.execute(_COMMANDS, recent)
    await connection.execute(_CHATS, begins)
    for index in indexes:
        await connection.execute(index["indexdef"])
    await connection.execute("VACUUM ANALYZE")
    return Filled(rows=rows, begins=begins, ends=ends)
