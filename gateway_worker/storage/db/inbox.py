"""The commands table as the dispatcher sees it: each command happens once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from gateway_contracts import ErrorBody, ErrorCode, FieldError
from gateway_worker.commands.ports import Entry, Received, Verdict
from gateway_worker.sessions.changes import CommandState, Outcome
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_outcome

# `arrivals` is how often the batch has the id; only the session that used it first counts.
_ENTER = text("""
    INSERT INTO commands AS c (id, session_id, type, state, worker_id, attempts)
    SELECT u.id, u.session_id, u.type, 'executing', u.worker_id, u.arrivals
    FROM unnest(CAST(:ids AS text[]), CAST(:session_ids AS text[]), CAST(:types AS text[]),
        CAST(:worker_ids AS text[]), CAST(:arrivals AS int[]))
        AS u(id, session_id, type, worker_id, arrivals)
    ORDER BY u.id
    ON CONFLICT (id) DO UPDATE SET
        attempts = c.attempts + CASE
            WHEN c.state = 'executing' AND c.session_id = EXCLUDED.session_id
            THEN EXCLUDED.attempts ELSE 0 END,
        worker_id = CASE
            WHEN c.state = 'executing' AND c.session_id = EXCLUDED.session_id
            THEN EXCLUDED.worker_id ELSE c.worker_id END
    RETURNING c.id, c.session_id, c.type, c.state, c.attempts, c.outcome
""")


@dataclass(slots=True)
class _Arrivals:
    """How often a batch has a command id, for the session that used it first."""

    first: Received
    count: int = 0
    answered: int = 0


class PostgresInboxStore:
    """Enters commands (the commands' `InboxStore`).

    A command id belongs to the session that used it first. For another session the answer is
    FINISHED with an `invalid_command` error, so that nobody ever reads another session's outcome.

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def enter(self, commands: Sequence[Received]) -> Sequence[Entry]:
        """Enter commands in one transaction, one answer each, in order.

        Raises:
            DependencyError: Nothing is known to be entered. If the first attempt was, the second
                one finds those commands INTERRUPTED.
        """
        if not commands:
            return ()
        arrivals = _count(commands)
        firsts = [each.first for each in arrivals.values()]
        async with self._database.statement("entering commands") as connection:
            rows = await connection.execute(
                _ENTER,
                {
                    "ids": [command.command_id for command in firsts],
                    "session_ids": [command.session_id for command in firsts],
                    "types": [command.command_type for command in firsts],
                    "worker_ids": [command.worker_id for command in firsts],
                    "arrivals": [each.count for each in arrivals.values()],
                },
            )
            stored = {row.id: row for row in rows}
        return [_entry(command, arrivals, stored[command.command_id]) for command in commands]


def _count(commands: Sequence[Received]) -> dict[str, _Arrivals]:
    arrivals: dict[str, _Arrivals] = {}
    for command in commands:
        each = arrivals.setdefault(command.command_id, _Arrivals(command))
        if command.session_id == each.first.session_id:
            each.count += 1
    return arrivals


def _entry(command: Received, arrivals: dict[str, _Arrivals], row: Row[Any]) -> Entry:
    if row.session_id != command.session_id:
        return Entry(verdict=Verdict.FINISHED, attempts=0, outcome=_taken(command))
    if row.state != CommandState.EXECUTING:
        outcome = read_outcome(
            row.outcome or {}, command_id=row.id, command_type=row.type, attempts=row.attempts
        )
        return Entry(verdict=Verdict.FINISHED, attempts=row.attempts, outcome=outcome)
    mine = arrivals[command.command_id]
    mine.answered += 1
    attempts = row.attempts - mine.count + mine.answered
    verdict = Verdict.NEW if attempts == 1 else Verdict.INTERRUPTED
    return Entry(verdict=verdict, attempts=attempts)


def _taken(command: Received) -> Outcome:
    detail = "another session has used this command id; an id names one command for ever"
    error = ErrorBody.of(
        ErrorCode.INVALID_COMMAND, detail, errors=(FieldError(pointer="/id", detail=detail),)
    )
    return Outcome(
        command_id=command.command_id, command_type=command.command_type, error=error, attempts=0
    )
