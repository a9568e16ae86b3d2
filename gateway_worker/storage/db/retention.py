"""What is kept of the past, and how long: commands, messages and receipts beyond that are deleted.

A few rows at a time, the oldest first (of messages: those of each session), and past those that
somebody else has locked, so that nobody waits for it. A command that has no end yet is kept,
however old it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import TextClause, text

from gateway_worker.outbox.pruning import Shelf
from gateway_worker.storage.db.database import Database


def _pruning(table: str, age: str, also: str = "") -> TextClause:
    # By their places: a key of up to four columns would be looked up once more for each row.
    return text(f"""
        DELETE FROM {table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {table}
            WHERE {age} < now() - make_interval(secs => CAST(:keep_seconds AS float8)) {also}
            ORDER BY {age} LIMIT CAST(:limit AS bigint)
            FOR UPDATE SKIP LOCKED
        ))
    """)  # noqa: S608 - constant terms


_COMMANDS: Final = _pruning(
    "commands",
    "received_at",
    "AND finished_at < now() - make_interval(secs => CAST(:keep_seconds AS float8))",
)
_MESSAGES: Final = text("""
    DELETE FROM messages WHERE ctid = ANY(ARRAY(
        SELECT old.ctid FROM sessions AS s CROSS JOIN LATERAL (
            SELECT m.ctid FROM messages AS m
            WHERE m.session_id = s.id
                AND m.stored_at < now() - make_interval(secs => CAST(:keep_seconds AS float8))
            ORDER BY m.stored_at LIMIT CAST(:limit AS bigint)
            FOR UPDATE SKIP LOCKED
        ) AS old LIMIT CAST(:limit AS bigint)
    ))
""")
"""Session by session, each with a look at its oldest: so the index that a session's history is read
by serves this, too. There are none of sessions that are gone."""
_RECEIPTS: Final = _pruning("receipts", "timestamp")
_TOLD: Final = _pruning("told_events", "told_at")
_COUNTS: Final = _pruning("daily_counts", "day")


class PostgresHistory:
    """Deletes what is older than it has to be.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def shelves(
        self, *, commands: timedelta, messages: timedelta, receipts: timedelta, counts: timedelta
    ) -> Sequence[Shelf]:
        """Return the tables, each with how long it is kept.

        What was told is known for as long as receipts are: both are what a session brings again
        that was away.
        """
        kept = (
            ("commands", _COMMANDS, commands),
            ("messages", _MESSAGES, messages),
            ("receipts", _RECEIPTS, receipts),
            ("told_events", _TOLD, receipts),
            ("daily_counts", _COUNTS, counts),
        )
        return [
            Shelf(name=name, prune=self._pruner(name, statement, age))
            for name, statement, age in kept
        ]

    def _pruner(
        self, name: str, statement: TextClause, age: timedelta
    ) -> Callable[[int], Awaitable[int]]:
        return partial(self._prune, name, statement, age.total_seconds())

    async def _prune(
        self, name: str, statement: TextClause, keep_seconds: float, limit: int
    ) -> int:
        """Delete at most `limit` rows; returns how many. Raises `DependencyError`."""
        async with self._database.statement(f"pruning {name}") as connection:
            pruned = await connection.execute(
                statement, {"keep_seconds": keep_seconds, "limit": limit}
            )
        return pruned.rowcount
