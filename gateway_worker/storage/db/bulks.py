"""Bulks and their rows; how they end is written in `changes`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from gateway_contracts import BulkReason, BulkState
from gateway_worker.commands.deferrals import BulkStore, EndedRow, RowBody
from gateway_worker.sessions.deferred import Bulk
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.database import Database

_COLUMNS: Final = """session_id, id, load, state, reason, options::text AS options, rows, succeeded,
    failed, uncertain, cancelled, created_at, starts_at, finished_at, result_key"""
_OPEN: Final = f"""
    SELECT {_COLUMNS} FROM bulks WHERE session_id = ANY($1::text[]) AND finished_at IS NULL
    ORDER BY created_at, id
"""  # noqa: S608 - constant columns
_GET: Final = f"SELECT {_COLUMNS} FROM bulks WHERE session_id = $1 AND id = $2"  # noqa: S608
_ROWS: Final = """
    SELECT row, body FROM deferred
    WHERE session_id = $1 AND batch = $2 AND row > $3 ORDER BY row LIMIT $4::bigint
"""
_BEGUN: Final = """
    SELECT d.row, d.body FROM commands AS c
    JOIN deferred AS d ON d.session_id = c.session_id AND d.batch = $2
        AND c.id = $3 || '/' || d.row
    WHERE c.session_id = $1 AND c.state = 'executing'
"""
"""$1 a session; $2 a load; $3 its bulk's key. Rows whose run was interrupted: few, if any."""
_SWEEP: Final = """
    WITH gone AS (
        DELETE FROM deferred WHERE (session_id, batch, row) IN (
            SELECT session_id, batch, row FROM deferred
            WHERE session_id = $1 AND batch = $2 AND EXISTS (
                SELECT FROM bulks AS b JOIN sessions AS s ON s.id = b.session_id
                WHERE b.session_id = $1 AND b.id = $3 AND b.state = 'cancelling' AND s.epoch = $4
            )
            ORDER BY row LIMIT $5::bigint FOR UPDATE
        )
        RETURNING row
    ), forgotten AS (
        DELETE FROM commands USING gone
        WHERE commands.id = $6 || '/' || gone.row AND commands.session_id = $1
            AND commands.state = 'received'
    )
    UPDATE bulks SET cancelled = cancelled + (SELECT count(*) FROM gone)
    WHERE session_id = $1 AND id = $3 AND EXISTS (SELECT FROM gone)
    RETURNING cancelled
"""
"""$1 a session; $2 a load; $3 its bulk; $4 the session's epoch; $5 how many rows;
$6 the bulk's key."""
_CANCEL_TO: Final = """
    WITH gone AS (
        DELETE FROM deferred AS d
        WHERE d.session_id = $1 AND d.batch = $2 AND NOT d.row = ANY($6::int[])
            AND convert_from(d.body, 'UTF8')::json->>'to' = ANY($5::text[])
            AND EXISTS (SELECT FROM sessions AS s WHERE s.id = $1 AND s.epoch = $4)
            AND NOT EXISTS (SELECT FROM commands AS c WHERE c.id = $7 || '/' || d.row
                AND c.session_id = $1 AND c.state = 'executing')
        RETURNING d.row
    ), forgotten AS (
        DELETE FROM commands USING gone
        WHERE commands.id = $7 || '/' || gone.row AND commands.session_id = $1
            AND commands.state = 'received'
    ), counted AS (
        UPDATE bulks SET cancelled = cancelled + (SELECT count(*) FROM gone)
        WHERE session_id = $1 AND id = $3
    )
    SELECT count(*) FROM gone
"""
"""$1-4 as above; $5 recipients as rows may name them; $6 rows that have their own end; $7 the
bulk's key."""
_ENDED: Final = """
    SELECT g.row, c.state, c.outcome::text AS outcome
    FROM generate_series($3::int, $4::int) AS g(row)
    LEFT JOIN commands AS c ON c.id = $2 || '/' || g.row AND c.session_id = $1
        AND c.state <> 'received'
    ORDER BY g.row
"""
"""$1 a session; $2 a bulk's key; $3-4 the first and the last row. One that was put back, and then
called off, has had no effect: it is as one that never began."""
_AGED: Final = """
    SELECT session_id, id, result_key FROM bulks
    WHERE finished_at < now() - make_interval(secs => $1::float8)
    ORDER BY finished_at LIMIT $2::bigint
"""
_FORGET: Final = """
    DELETE FROM bulks USING unnest($1::text[], $2::text[]) AS u(session_id, id)
    WHERE bulks.session_id = u.session_id AND bulks.id = u.id
"""
_PRUNE_ROWS: Final = """
    DELETE FROM deferred WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM deferred AS d
        WHERE d.due_at IS NULL AND d.batch COLLATE "C" < $1::text
            AND NOT EXISTS (SELECT FROM bulks AS b WHERE b.load = d.batch)
        LIMIT $2::bigint
    ))
"""
"""$1 a load of a day ago; $2 how many. Rows of loads that came to nothing."""


class PostgresBulkStore(BulkStore):
    """Reads bulks and loads their rows. Every call may raise `DependencyError`.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def load(self, session_id: str, load: str, rows: Sequence[RowBody]) -> None:
        """Store rows that no bulk has yet."""
        records = [(session_id, load, row.row, None, row.body) for row in rows]
        async with self._database.direct("loading the rows of a bulk") as connection:
            await connection.copy_records_to_table(
                "deferred",
                records=records,
                columns=("session_id", "batch", "row", "due_at", "body"),
            )

    async def open_bulks(self, session_ids: Sequence[str]) -> Sequence[tuple[str, Bulk]]:
        """Return the bulks of sessions that are not over, the oldest first."""
        if not session_ids:
            return ()
        async with self._database.direct("looking for bulks") as connection:
            found = await connection.fetch(_OPEN, list(session_ids))
        return [(row["session_id"], _bulk(row)) for row in found]

    async def get(self, session_id: str, bulk_id: str) -> Bulk | None:
        """Return a bulk or None."""
        async with self._database.direct("reading a bulk") as connection:
            row = await connection.fetchrow(_GET, session_id, bulk_id)
        return None if row is None else _bulk(row)

    async def rows(
        self, session_id: str, load: str, *, after: int, limit: int
    ) -> Sequence[RowBody]:
        """Return the next rows that wait, after a row."""
        return await self._rows(_ROWS, session_id, load, after, limit)

    async def begun(self, session_id: str, bulk: Bulk) -> Sequence[RowBody]:
        """Return rows whose run was interrupted."""
        key = command_key(session_id, bulk.bulk_id)
        return await self._rows(_BEGUN, session_id, bulk.load, key)

    async def _rows(self, statement: str, *values: Any) -> Sequence[RowBody]:
        async with self._database.direct("reading the rows of a bulk") as connection:
            found = await connection.fetch(statement, *values)
        return [RowBody(row=row["row"], body=row["body"]) for row in found]

    async def sweep(self, session_id: str, bulk: Bulk, *, epoch: int, limit: int) -> bool:
        """Let go of rows of a bulk that is cancelled; False if none is left."""
        async with self._database.direct("cancelling the rows of a bulk") as connection:
            key = command_key(session_id, bulk.bulk_id)
            swept = await connection.fetchval(
                _SWEEP, session_id, bulk.load, bulk.bulk_id, epoch, limit, key
            )
        return swept is not None

    async def cancel_to(
        self,
        session_id: str,
        bulk: Bulk,
        *,
        to: Sequence[str],
        but: Collection[int],
        epoch: int,
    ) -> int:
        """Let go of the rows of a bulk to some recipients; returns how many there were."""
        async with self._database.direct("cancelling rows to a person") as connection:
            key = command_key(session_id, bulk.bulk_id)
            gone: int = await connection.fetchval(
                _CANCEL_TO, session_id, bulk.load, bulk.bulk_id, epoch, list(to), list(but), key
            )
        return gone

    async def ended(
        self, session_id: str, bulk_id: str, *, first: int, last: int
    ) -> Sequence[EndedRow]:
        """Return how rows have ended, in order; those without an end are cancelled."""
        async with self._database.direct("reading the outcomes of a bulk") as connection:
            key = command_key(session_id, bulk_id)
            found = await connection.fetch(_ENDED, session_id, key, first, last)
        return [
            EndedRow(
                row=row["row"],
                state=row["state"],
                outcome={} if row["outcome"] is None else orjson.loads(row["outcome"]),
            )
            for row in found
        ]

    async def aged(
        self, *, keep_seconds: float, limit: int
    ) -> Sequence[tuple[str, str, str | None]]:
        """Return session, id and result of bulks that were over so long ago."""
        async with self._database.direct("looking for old bulks") as connection:
            found = await connection.fetch(_AGED, keep_seconds, limit)
        return [(row["session_id"], row["id"], row["result_key"]) for row in found]

    async def forget(self, bulks: Sequence[tuple[str, str, str | None]]) -> None:
        """Delete bulks."""
        async with self._database.direct("deleting old bulks") as connection:
            await connection.execute(
                _FORGET, [each[0] for each in bulks], [each[1] for each in bulks]
            )

    async def prune_rows(self, *, before: str, limit: int) -> int:
        """Delete rows of loads that are older and belong to no bulk; returns how many."""
        async with self._database.direct("deleting rows of no bulk") as connection:
            answer = await connection.execute(_PRUNE_ROWS, before, limit)
        return int(answer.rpartition(" ")[2])


def _bulk(row: Any) -> Bulk:
    moments: dict[str, datetime | None] = {
        name: row[name] for name in ("created_at", "starts_at", "finished_at")
    }
    return Bulk(
        bulk_id=row["id"],
        load=row["load"],
        state=BulkState(row["state"]),
        reason=None if row["reason"] is None else BulkReason(row["reason"]),
        rows=row["rows"],
        options=orjson.loads(row["options"]),
        succeeded=row["succeeded"],
        failed=row["failed"],
        uncertain=row["uncertain"],
        cancelled=row["cancelled"],
        result_key=row["result_key"],
        **moments,
    )
