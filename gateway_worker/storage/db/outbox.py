"""The outbox table as the relay sees it: what waits, what is confirmed, what is old."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text

from gateway_worker.outbox.ports import Backlog
from gateway_worker.sessions.changes import PAGE_BYTES, OutboxRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.leases import ENDED

_COLUMNS = """id, event_id, type, session_id, routing_key, body, correlation_id, traceparent,
    sequence"""


def _page(where: str) -> TextClause:
    """Return the statement of a page: the first rows, no more than `PAGE_BYTES` and one."""
    return text(f"""
        SELECT {_COLUMNS} FROM (
            SELECT {_COLUMNS}, octet_length(body) AS size,
                sum(octet_length(body)) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS read
            FROM (
                SELECT {_COLUMNS} FROM outbox WHERE {where}
                ORDER BY id LIMIT CAST(:limit AS bigint)
            ) AS first
        ) AS sized WHERE read - size < {PAGE_BYTES} ORDER BY id
    """)  # noqa: S608 - constant terms


_PENDING = _page("""
    worker_id = CAST(:worker_id AS text) AND published_at IS NULL AND id > CAST(:after AS bigint)
""")
_PENDING_OF = _page("""
    session_id = ANY(CAST(:session_ids AS text[]))
    AND worker_id = CAST(:worker_id AS text) AND published_at IS NULL
    AND id > CAST(:after AS bigint)
""")
_RETAINED = _page("""
    session_id = CAST(:session_id AS text) AND id > CAST(:after AS bigint)
    AND published_at IS NOT NULL AND NOT forget AND sequence IS NOT NULL
    AND (CAST(:from_sequence AS bigint) IS NULL OR sequence >= CAST(:from_sequence AS bigint))
    AND (CAST(:since AS timestamptz) IS NULL OR created_at >= CAST(:since AS timestamptz))
""")
_LOCK_STRAYS = "SELECT pg_advisory_xact_lock(7449357)"
"""Held by whoever adopts strays, so that two cannot share those of one session."""
_LOCK_DEAD = f"""
    SELECT w.id FROM workers AS w
    WHERE w.id <> $1 AND {ENDED} AND EXISTS (
        SELECT FROM outbox AS o WHERE o.worker_id = w.id AND o.published_at IS NULL)
    ORDER BY w.id FOR SHARE
"""  # noqa: S608
_ADOPT = """
    WITH moved AS (
        UPDATE outbox SET worker_id = $1::text WHERE id IN (
            SELECT o.id FROM outbox AS o LEFT JOIN sessions AS s ON s.id = o.session_id
            WHERE o.worker_id = ANY($2::text[]) AND o.published_at IS NULL
                AND (s.id IS NULL OR s.worker_id = $1::text)
            ORDER BY o.id FOR UPDATE OF o
        )
        RETURNING 1
    )
    SELECT count(*) FROM moved
"""
"""$1 the worker's id; $2 dead workers."""
_MARK = """
    WITH marked AS (
        UPDATE outbox SET published_at = now()
        WHERE id = ANY($1::bigint[]) AND (published_at IS NULL OR forget)
        RETURNING id, forget
    )
    SELECT id FROM marked WHERE forget
"""
_FORGET = "DELETE FROM outbox WHERE id = ANY($1::bigint[]) AND forget"
_BACKLOG = """
    SELECT count(*) AS depth,
        greatest(0, extract(epoch FROM now() - min(created_at)))::float8 AS oldest_seconds
    FROM outbox
    WHERE worker_id = $1 AND published_at IS NULL
"""
_PRUNE = text("""
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox
        WHERE published_at < now() - make_interval(secs => CAST(:keep_seconds AS float8))
        ORDER BY published_at LIMIT CAST(:limit AS bigint)
        FOR UPDATE SKIP LOCKED
    )
""")


class PostgresOutboxStore:
    """The events that wait for publication, and those that are published.

    The outbox's `OutboxStore`, and the commands' `RetainedEvents`.

    Published rows stay for a while, so that a session's events can be replayed; those of a deleted
    session go at once. All calls but `prune` and `retained` are about the events of one worker.

    Args:
        database: Where the table is.
        worker_id: Whose events; workers share the table.
    """

    def __init__(self, *, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id

    async def pending(self, *, after: int, limit: int) -> Sequence[OutboxRow]:
        """Return this worker's unpublished rows with an id above `after`, in order.

        They are fewer than `limit` if there are no more, or if they have `PAGE_BYTES` together
        (see `is_last_page`).

        Raises:
            DependencyError: The database cannot be used now.
        """
        values = {"worker_id": self._worker_id, "after": after, "limit": limit}
        return await self._read(_PENDING, values)

    async def pending_of(
        self, session_ids: Sequence[str], *, after: int, limit: int
    ) -> Sequence[OutboxRow]:
        """Return this worker's unpublished rows of these sessions, as `pending` does."""
        values = {"session_ids": list(session_ids), "worker_id": self._worker_id}
        return await self._read(_PENDING_OF, {**values, "after": after, "limit": limit})

    async def retained(
        self,
        session_id: str,
        *,
        from_sequence: int | None = None,
        since: datetime | None = None,
        limit: int,
        after_id: int = 0,
    ) -> Sequence[OutboxRow]:
        """Return published rows of a session's stream; see `RetainedEvents`."""
        values = {"session_id": session_id, "from_sequence": from_sequence, "since": since}
        return await self._read(_RETAINED, {**values, "after": after_id, "limit": limit})

    async def adopt_strays(self) -> int:
        """Take unpublished rows of dead workers that nobody else will publish; returns how many.

        Those whose session has no row, or belongs to this worker; the others wait for whoever takes
        their session over. Read them with `pending`: their ids may be lower than those read so far.

        Raises:
            DependencyError: It is not known whether rows were taken; `pending` has them.
        """
        async with self._database.transaction("adopting events") as connection:
            await connection.execute(_LOCK_STRAYS)
            dead = [found["id"] for found in await connection.fetch(_LOCK_DEAD, self._worker_id)]
            if not dead:
                return 0
            return int(await connection.fetchval(_ADOPT, self._worker_id, dead))

    async def mark_published(self, outbox_ids: Sequence[int]) -> None:
        """Note that the broker has confirmed these rows; idempotent. Raises `DependencyError`."""
        if not outbox_ids:
            return
        async with self._database.direct("marking events as published") as connection:
            gone = await connection.fetch(_MARK, list(outbox_ids))
            if gone:
                await connection.execute(_FORGET, [outbox_id for (outbox_id,) in gone])

    async def backlog(self) -> Backlog:
        """Return what of this worker waits. Raises `DependencyError`."""
        async with self._database.direct("counting the outbox") as connection:
            (found,) = await connection.fetch(_BACKLOG, self._worker_id)
        return Backlog(depth=found["depth"], oldest_seconds=found["oldest_seconds"] or 0.0)

    async def prune(self, *, keep_seconds: float, limit: int) -> int:
        """Delete at most `limit` rows published longer ago than `keep_seconds`, of any worker.

        Returns:
            How many were deleted; fewer than `limit` means that none is left.

        Raises:
            DependencyError: The database cannot be used now.
        """
        async with self._database.statement("pruning the outbox") as connection:
            pruned = await connection.execute(
                _PRUNE, {"keep_seconds": keep_seconds, "limit": limit}
            )
        return pruned.rowcount

    async def _read(self, query: TextClause, values: dict[str, Any]) -> Sequence[OutboxRow]:
        async with self._database.statement("reading the outbox") as connection:
            found = await connection.execute(query, values)
        return [
            OutboxRow(
                outbox_id=row.id,
                event_id=row.event_id,
                type=row.type,
                session_id=row.session_id,
                routing_key=row.routing_key,
                body=row.body,
                correlation_id=row.correlation_id,
                traceparent=row.traceparent,
                sequence=row.sequence,
            )
            for row in found
        ]
