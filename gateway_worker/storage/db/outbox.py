"""The outbox table as the relay sees it: what waits, what is confirmed, what is old."""

from collections.abc import Sequence

from sqlalchemy import text

from gateway_worker.sessions.changes import OutboxRow
from gateway_worker.storage.db.database import Database

_PENDING = text("""
    SELECT id, event_id, type, session_id, routing_key, body, correlation_id, traceparent
    FROM outbox
    WHERE worker_id = CAST(:worker_id AS text) AND published_at IS NULL
        AND id > CAST(:after AS bigint)
    ORDER BY id LIMIT CAST(:limit AS bigint)
""")
_MARK = """
    WITH marked AS (
        UPDATE outbox SET published_at = now()
        WHERE id = ANY($1::bigint[]) AND (published_at IS NULL OR forget)
        RETURNING id, forget
    )
    SELECT id FROM marked WHERE forget
"""
_FORGET = "DELETE FROM outbox WHERE id = ANY($1::bigint[]) AND forget"
_DEPTH = text("""
    SELECT count(*) FROM outbox
    WHERE worker_id = CAST(:worker_id AS text) AND published_at IS NULL
""")
_PRUNE = text("""
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox
        WHERE published_at < now() - make_interval(secs => CAST(:keep_seconds AS float8))
        ORDER BY published_at LIMIT CAST(:limit AS bigint)
        FOR UPDATE SKIP LOCKED
    )
""")


class PostgresOutboxStore:
    """The events that wait for publication (the outbox's `OutboxStore`).

    Published rows stay for a while, so that a session's events can be replayed; those of a deleted
    session go at once. All calls but `prune` are about the events of one worker.

    Args:
        database: Where the table is.
        worker_id: Whose events; workers share the table.
    """

    def __init__(self, *, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id

    async def pending(self, *, after: int, limit: int) -> Sequence[OutboxRow]:
        """Return this worker's unpublished rows with an id above `after`, in order.

        Raises:
            DependencyError: The database cannot be used now.
        """
        async with self._database.statement("reading the outbox") as connection:
            found = await connection.execute(
                _PENDING, {"worker_id": self._worker_id, "after": after, "limit": limit}
            )
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
            )
            for row in found
        ]

    async def mark_published(self, outbox_ids: Sequence[int]) -> None:
        """Note that the broker has confirmed these rows; idempotent. Raises `DependencyError`."""
        if not outbox_ids:
            return
        async with self._database.direct("marking events as published") as connection:
            gone = await connection.fetch(_MARK, list(outbox_ids))
            if gone:
                await connection.execute(_FORGET, [outbox_id for (outbox_id,) in gone])

    async def depth(self) -> int:
        """Return how many of this worker's rows wait. Raises `DependencyError`."""
        async with self._database.statement("counting the outbox") as connection:
            return int(await connection.scalar(_DEPTH, {"worker_id": self._worker_id}) or 0)

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
