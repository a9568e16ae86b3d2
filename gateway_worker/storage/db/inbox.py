"""The commands table as the dispatcher sees it: each command happens once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from gateway_worker.commands.ports import Entry, Received, Verdict
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_outcome

_ENTER = """
    INSERT INTO commands AS c (id, session_id, type, state, worker_id, attempts, entry)
    SELECT u.id, u.session_id, u.type, 'executing', u.worker_id, u.arrivals, $6::uuid
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[])
        AS u(id, session_id, type, worker_id, arrivals)
    ORDER BY u.id
    ON CONFLICT (id) DO UPDATE SET
        attempts = c.attempts + CASE
            WHEN c.state = 'executing' AND c.session_id = EXCLUDED.session_id
                AND c.entry IS DISTINCT FROM EXCLUDED.entry
            THEN EXCLUDED.attempts ELSE 0 END,
        worker_id = CASE
            WHEN c.state = 'executing' AND c.session_id = EXCLUDED.session_id
            THEN EXCLUDED.worker_id ELSE c.worker_id END,
        entry = EXCLUDED.entry
    RETURNING c.id, c.session_id, c.type, c.state, c.attempts, c.outcome
"""
"""$1-5 ids, sessions, types, workers and how often the batch has the id; $6 the batch.

Only the session that used an id first counts, and a batch whose answer was lost counts once.
"""


@dataclass(slots=True)
class _Arrivals:
    """How often a batch has a command id, for the session that used it first."""

    first: Received
    count: int = 0
    answered: int = 0


class PostgresInboxStore:
    """Enters commands (the commands' `InboxStore`).

    A command id belongs to the session that used it first; for another one it is TAKEN.

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._unanswered: tuple[list[Received], UUID] | None = None

    async def enter(self, commands: Sequence[Received]) -> Sequence[Entry]:
        """Enter commands in one transaction, one answer each, in order.

        Raises:
            DependencyError: Nothing is known to be entered. The same batch again gives the answers
                that were lost, so that a command nobody has begun is never taken for INTERRUPTED.
        """
        if not commands:
            return ()
        arrivals = _count(commands)
        firsts = [each.first for each in arrivals.values()]
        batch = self._identify(commands)
        async with self._database.direct("entering commands") as connection:
            rows = await connection.fetch(
                _ENTER,
                [command.command_id for command in firsts],
                [command.session_id for command in firsts],
                [command.command_type for command in firsts],
                [command.worker_id for command in firsts],
                [each.count for each in arrivals.values()],
                batch,
            )
        self._unanswered = None
        stored = {row["id"]: row for row in rows}
        return [_entry(command, arrivals, stored[command.command_id]) for command in commands]

    def _identify(self, commands: Sequence[Received]) -> UUID:
        """Return the batch's name: the one it had if it is the one without an answer."""
        if self._unanswered is None or self._unanswered[0] != list(commands):
            self._unanswered = (list(commands), uuid4())
        return self._unanswered[1]


def _count(commands: Sequence[Received]) -> dict[str, _Arrivals]:
    arrivals: dict[str, _Arrivals] = {}
    for command in commands:
        each = arrivals.setdefault(command.command_id, _Arrivals(command))
        if command.session_id == each.first.session_id:
            each.count += 1
    return arrivals


def _entry(command: Received, arrivals: dict[str, _Arrivals], row: asyncpg.Record) -> Entry:
    if row["session_id"] != command.session_id:
        return Entry(verdict=Verdict.TAKEN, attempts=0)
    if row["state"] != CommandState.EXECUTING:
        outcome = read_outcome(
            row["outcome"] or {},
            command_id=row["id"],
            command_type=row["type"],
            attempts=row["attempts"],
        )
        return Entry(verdict=Verdict.FINISHED, attempts=row["attempts"], outcome=outcome)
    mine = arrivals[command.command_id]
    mine.answered += 1
    attempts = row["attempts"] - mine.count + mine.answered
    verdict = Verdict.NEW if attempts == 1 else Verdict.INTERRUPTED
    return Entry(verdict=verdict, attempts=attempts)
