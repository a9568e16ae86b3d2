"""What is executed later: written when it is taken on, gone when it has its outcome.

Both happen in the transaction that tells of them, under the lock and the epoch of the session: a
command that was taken on is stored once, and one whose row is gone has its outcome.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.deferred import Bulk, BulkUpdate, DeferredEnd, DeferredRow
from gateway_worker.storage.db.changes.steps import Step
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.documents import mapping_text

Connection: TypeAlias = "asyncpg.Connection[Any]"

_PUT_OFF: Final = """
    WITH given AS (
        SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::timestamptz[], $8::bytea[], $9::text[])
            AS u(session_id, id, type, fingerprint, epoch, due_at, body, key)
    ), known AS (
        INSERT INTO commands
            (id, session_id, type, state, worker_id, epoch, attempts, fingerprint, received_at)
        SELECT key, session_id, type, 'received', $1::text, epoch, 0, fingerprint, due_at FROM given
        ORDER BY key
        ON CONFLICT (id) DO NOTHING
    )
    INSERT INTO deferred (session_id, batch, row, due_at, body)
    SELECT session_id, id, 0, due_at, body FROM given
    ON CONFLICT DO NOTHING
"""
"""$1 the worker's id; $2-9 sessions, ids, types, fingerprints, epochs, times, commands and keys.

In the inbox it counts as received when it is due: no run of it begins before, and a host's notes on
an interrupted run have to reach back to that.
"""

_END: Final = """
    WITH given AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[])
            AS u(session_id, batch, row, state)
    ), gone AS (
        DELETE FROM deferred AS d USING given AS g
        WHERE d.session_id = g.session_id AND d.batch = g.batch AND d.row = g.row
        RETURNING d.session_id, d.batch, d.row, g.state
    ), counted AS (
        SELECT session_id, batch, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
            count(*) FILTER (WHERE state = 'failed') AS failed,
            count(*) FILTER (WHERE state = 'uncertain') AS uncertain
        FROM gone WHERE row > 0 GROUP BY session_id, batch
    )
    UPDATE bulks AS b SET succeeded = b.succeeded + c.succeeded, failed = b.failed + c.failed,
        uncertain = b.uncertain + c.uncertain
    FROM counted AS c WHERE b.session_id = c.session_id AND b.load = c.batch
"""
"""$1-4 sessions, batches, rows and what has become of each. A row that is gone counts no more."""

_BEGIN: Final = """
    INSERT INTO bulks (session_id, id, load, state, options, rows, starts_at)
    VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7)
    ON CONFLICT DO NOTHING
"""

_UPDATE: Final = """
    UPDATE bulks SET state = $4, reason = $5, result_key = coalesce($6, result_key),
        finished_at = CASE WHEN $4 IN ('finished', 'cancelled') THEN now() END
    WHERE session_id = $1 AND id = $2 AND state = ANY($3::text[]) RETURNING id
"""
"""$1 a session; $2 a bulk; $3 the states that it may have; $4-6 state, reason and result."""


async def write_deferred(connection: Connection, steps: Iterable[Step], *, worker_id: str) -> None:
    """Write what a batch puts off and what it brings to an end.

    Args:
        connection: The transaction; the sessions are locked.
        steps: In order. One whose bulk does not stand as it should is a repetition afterwards.
        worker_id: This worker.
    """
    ours = [step for step in steps if not step.fenced]
    for step in ours:
        await _write_bulk(connection, step)
    puts_off = [
        (step.change, row)
        for step in ours
        if step.live and (row := step.change.deferred) is not None
    ]
    if puts_off:
        await connection.execute(
            _PUT_OFF, worker_id, *_columns(map(_put_off, *zip(*puts_off, strict=True)))
        )
    ends = [(step.change, end) for step in ours if (end := step.change.deferred_end) is not None]
    if ends:
        await connection.execute(_END, *_columns(map(_ended, *zip(*ends, strict=True))))


def _put_off(change: Change, row: DeferredRow) -> Sequence[Any]:
    return (
        change.session_id,
        row.command_id,
        row.command_type,
        row.fingerprint,
        change.epoch,
        row.due_at,
        row.body,
        command_key(change.session_id, row.command_id),
    )


def _ended(change: Change, end: DeferredEnd) -> Sequence[Any]:
    return change.session_id, end.key.batch, end.key.row, end.state.value


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _write_bulk(connection: Connection, step: Step) -> None:
    session_id = step.change.session_id
    match step.change.bulk, step.change.bulk_update:
        case Bulk() as bulk, _ if step.live:
            await connection.execute(
                _BEGIN,
                session_id,
                bulk.bulk_id,
                bulk.load,
                bulk.state.value,
                mapping_text(bulk.options),
                bulk.rows,
                bulk.starts_at,
            )
        case _, BulkUpdate() as update if step.live:
            found = await connection.fetchval(
                _UPDATE,
                session_id,
                update.bulk_id,
                [state.value for state in update.before],
                update.state.value,
                update.reason,
                update.result_key,
            )
            step.repeated = found is None
        case _:
            return
