"""What chats are set to: when their messages disappear."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import asyncpg

from gateway_worker.sessions.changes import TimerRow
from gateway_worker.storage.db.changes.steps import Step

Connection: TypeAlias = "asyncpg.Connection[Any]"

WRITE_TIMERS = """
    INSERT INTO chat_timers AS t (session_id, chat, seconds, set_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[])
    ORDER BY 1, 2
    ON CONFLICT (session_id, chat) DO UPDATE
        SET seconds = EXCLUDED.seconds, set_at = EXCLUDED.set_at
    WHERE t.set_at <= EXCLUDED.set_at AND t.seconds <> EXCLUDED.seconds
"""
"""$1 sessions, $2 chats, $3 seconds, $4 times; each chat once."""


async def write_timers(connection: Connection, steps: Iterable[Step]) -> None:
    """Write what the chats of a batch were set to, the last word of each."""
    last: dict[tuple[str, str], TimerRow] = {}
    for step in steps:
        timer = step.change.timer
        if timer is None:
            continue
        key = (step.change.session_id, timer.chat)
        if key not in last or last[key].set_at <= timer.set_at:
            last[key] = timer
    if last:
        rows = [(*key, row.seconds, row.set_at) for key, row in last.items()]
        await connection.execute(WRITE_TIMERS, *map(list, zip(*rows, strict=True)))
