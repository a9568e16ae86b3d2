"""Taking over the sessions of workers whose lease has ended, all in one transaction."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.storage.db.leases import ENDED, LOCK_ROOM, TAKES_MORE
from gateway_worker.storage.db.session_rows import COLUMNS

Connection: TypeAlias = "asyncpg.Connection[Any]"

ORPHANED: Final = f"""
    FROM sessions AS s LEFT JOIN workers AS w ON w.id = s.worker_id
    WHERE s.worker_id IS NOT NULL AND (w.id IS NULL OR {ENDED})
"""
"""Sessions that may be taken over."""

_NAME_UNKNOWN = """
    INSERT INTO workers (id, version, capacity, lease_expires_at, lease_seconds)
    SELECT DISTINCT s.worker_id, '', 0, now(), 0
    FROM sessions AS s LEFT JOIN workers AS w ON w.id = s.worker_id
    WHERE s.worker_id IS NOT NULL AND s.worker_id <> $1 AND w.id IS NULL
    ORDER BY s.worker_id
    ON CONFLICT DO NOTHING
"""
"""$1 the taker. Gives owners without a row one that has ended, so that there is one to lock."""

_LOCK_DEAD = f"""
    SELECT w.id FROM workers AS w
    WHERE w.id <> $1 AND {ENDED} AND EXISTS (SELECT FROM sessions AS s WHERE s.worker_id = w.id)
    ORDER BY w.id FOR SHARE
"""  # noqa: S608 - constant terms
"""$1 the taker. Several takers may hold the lock; a renewal waits for them, so that a worker that
is back never believes in sessions that are being taken."""

_ROOM = f"""
    SELECT w.capacity - (SELECT count(*) FROM sessions AS s WHERE s.worker_id = w.id)
    FROM workers AS w
    WHERE w.id = $1 AND {TAKES_MORE}
        AND (w.resumed_at IS NULL
            OR w.resumed_at + make_interval(secs => w.lease_seconds) <= now())
"""  # noqa: S608
"""$1 the taker. Nothing for one that may not take. One that was cut off itself leaves the others
the length of a lease to come back: they may have been cut off with it."""

_TAKE = f"""
    WITH found AS (
        SELECT id AS found_id FROM sessions
        WHERE worker_id = ANY($2::text[]) AND ($4::boolean OR account IS NULL)
        ORDER BY created_at, id LIMIT $3::bigint
        FOR UPDATE SKIP LOCKED
    )
    UPDATE sessions AS s SET worker_id = $1::text, epoch = s.epoch + 1, updated_at = now(),
        pending = s.pending || jsonb_build_array(
            jsonb_build_object('epoch', s.epoch + 1, 'queue_of', s.worker_id))
    FROM found WHERE s.id = found.found_id
    RETURNING {COLUMNS}
"""  # noqa: S608
"""$1 the taker; $2 dead workers; $3 how many; $4 whether those with an account too.

Skips what another taker, or a last commit of the former owner, has under way.
"""

STRANDED: Final = f"""
    SELECT s.id FROM sessions AS s LEFT JOIN workers AS w ON w.id = s.worker_id
    WHERE s.worker_id IS NOT NULL AND (w.id IS NULL OR (
        {ENDED} AND w.lease_expires_at + make_interval(secs => CAST(:after AS float8)) <= now()))
"""  # noqa: S608 - constant terms
"""Sessions that should have been taken over by now; :after so many seconds."""

MOVE_EVENTS: Final = """
    UPDATE outbox SET worker_id = $1::text WHERE id IN (
        SELECT id FROM outbox WHERE session_id = ANY($2::text[]) AND published_at IS NULL
        ORDER BY id FOR UPDATE
    )
"""
"""$1 the taker; $2 sessions. Their unpublished events, in the order in which they are marked."""


async def take_over(
    connection: Connection, worker_id: str, *, limit: int, linked: bool
) -> Sequence[asyncpg.Record]:
    """Give a worker orphaned sessions, within the caller's transaction; returns their rows."""
    await connection.execute(LOCK_ROOM, worker_id)
    room = await connection.fetchval(_ROOM, worker_id)
    wanted = min(limit, room or 0)
    if wanted <= 0:
        return ()
    await connection.execute(_NAME_UNKNOWN, worker_id)
    dead = [found["id"] for found in await connection.fetch(_LOCK_DEAD, worker_id)]
    if not dead:
        return ()
    taken = await connection.fetch(_TAKE, worker_id, dead, wanted, linked)
    if taken:
        await connection.execute(MOVE_EVENTS, worker_id, [row["id"] for row in taken])
    return sorted(taken, key=lambda row: (row["created_at"], row["id"]))
