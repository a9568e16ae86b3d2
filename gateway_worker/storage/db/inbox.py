"""The commands table as the dispatcher sees it: each command happens once."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import text

from gateway_contracts import ErrorCode
from gateway_worker.commands.ports import Entry, Received, Verdict
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.database import BRIEF_LOCK_SECONDS, Database
from gateway_worker.storage.db.documents import read_found, read_outcome
from gateway_worker.storage.db.failures import StatementRefusedError

_RUNS = """c.state IN ('executing', 'received') AND c.session_id = EXCLUDED.session_id
    AND coalesce(c.fingerprint = EXCLUDED.fingerprint, true)
    AND c.entry IS DISTINCT FROM EXCLUDED.entry"""
_ENTER = f"""
    WITH given AS MATERIALIZED (
        SELECT u.*, (
            u.epoch IS NULL
            OR EXISTS (SELECT FROM sessions AS s WHERE s.id = u.session_id AND s.epoch = u.epoch)
        ) AS valid
        FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::text[]),
            (SELECT $4::text[]), (SELECT $5::bigint[]), (SELECT $7::text[]),
            (SELECT $8::text[])) WITH ORDINALITY
            AS u(id, session_id, type, worker_id, epoch, fingerprint, client_ref, place)
    ), entered AS (
        INSERT INTO commands AS c
            (id, session_id, type, state, worker_id, epoch, attempts, entry, fingerprint,
                client_ref)
        SELECT DISTINCT ON (id) id, session_id, type, 'executing', worker_id, epoch,
            count(*) OVER (PARTITION BY id, session_id, fingerprint), $6::uuid, fingerprint,
            client_ref
        FROM given WHERE valid ORDER BY id, place
        ON CONFLICT (id) DO UPDATE SET
            state = CASE WHEN {_RUNS} THEN 'executing' ELSE c.state END,
            worker_id = CASE WHEN {_RUNS} THEN EXCLUDED.worker_id ELSE c.worker_id END,
            epoch = CASE WHEN {_RUNS} THEN EXCLUDED.epoch ELSE c.epoch END,
            attempts = CASE WHEN {_RUNS} THEN c.attempts + EXCLUDED.attempts ELSE c.attempts END,
            entry = CASE WHEN {_RUNS} THEN EXCLUDED.entry ELSE c.entry END,
            previous_worker_id = CASE WHEN NOT ({_RUNS}) THEN c.previous_worker_id
                WHEN c.state = 'executing' THEN c.worker_id END,
            previous_epoch = CASE WHEN NOT ({_RUNS}) THEN c.previous_epoch
                WHEN c.state = 'executing' THEN c.epoch END
        RETURNING c.id, c.session_id, c.type, c.state, c.attempts, c.outcome,
            c.previous_worker_id, c.previous_epoch, c.received_at, c.fingerprint
    )
    SELECT given.valid, entered.* FROM given LEFT JOIN entered ON entered.id = given.id
    ORDER BY given.place
"""  # noqa: S608 - constant terms
"""$1-5 ids, sessions, types, workers and epochs; $6 the batch; $7 fingerprints; $8 client_refs.

Only the session that used an id first counts, and what it said with it. A batch whose answer was
lost counts once. The run that a new one interrupts is kept in the row, so that it is known however
often it is asked for; one that was suspended interrupts nothing.

The arrays are hidden from the planner, which would otherwise plan anew for each length of a batch,
and take longer for that than the statement runs.
"""

_LOOK = """
    SELECT id, session_id, type, state, attempts, outcome, fingerprint,
        NULL::text AS previous_worker_id, NULL::bigint AS previous_epoch, received_at
    FROM commands WHERE id = $1
"""
"""$1 a command."""

_SUSPEND = text("""
    UPDATE commands SET
        state = CASE WHEN :stays_interrupted AND previous_worker_id IS NOT NULL
            THEN 'executing' ELSE 'received' END,
        worker_id = CASE WHEN :stays_interrupted AND previous_worker_id IS NOT NULL
            THEN previous_worker_id ELSE worker_id END,
        epoch = CASE WHEN :stays_interrupted AND previous_worker_id IS NOT NULL
            THEN previous_epoch ELSE epoch END
    WHERE id = :id AND session_id = :session_id AND state = 'executing'
        AND (CAST(:worker_id AS text) IS NULL OR worker_id = CAST(:worker_id AS text))
        AND (CAST(:epoch AS bigint) IS NULL OR epoch = CAST(:epoch AS bigint))
""")

_LOCK = """
    SELECT state FROM commands WHERE id = $1 AND session_id = $2
        AND coalesce(fingerprint = $3::text, true) FOR UPDATE
"""
"""$1 a command; $2 its session; $3 its fingerprint."""
_REOPEN = """
    UPDATE commands SET
        state = CASE outcome->'error'->>'code' WHEN $2 THEN 'executing' ELSE 'received' END,
        outcome = NULL, finished_at = NULL, attempts = 0,
        entry = NULL, previous_worker_id = NULL, previous_epoch = NULL
    WHERE id = $1
"""
"""$1 a command that is locked; $2 the code of what may have ended after it took effect: that begins
as if its run had been interrupted."""


class PostgresInboxStore:
    """Enters commands (the commands' `InboxStore`), and reopens them for whoever runs the gateway.

    A command id belongs to the session that used it first; for another one of its tenant, or
    without one, it is TAKEN.

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._unanswered: dict[Received, UUID] = {}

    async def answers(self) -> bool:
        """Tell soon whether the database can be used. Never raises."""
        return await self._database.answers()

    async def enter(
        self, commands: Sequence[Received], *, briefly: bool = False
    ) -> Sequence[Entry]:
        """Enter commands in one transaction, one answer each, in order.

        Args:
            commands: What has come.
            briefly: Give up after a tenth of a second if somebody holds a row of it.

        Raises:
            DependencyError: Nothing is known to be entered. The same batch again, or a part of it,
                gives the answers that were lost, so that a command nobody has begun is never taken
                for INTERRUPTED.
        """
        if not commands:
            return ()
        batch = self._identify(commands)
        doing = "entering commands"
        lent = (
            self._database.transaction(doing, lock_seconds=BRIEF_LOCK_SECONDS)
            if briefly
            else self._database.direct(doing, again=True)
        )
        try:
            async with lent as connection:
                rows = await connection.fetch(
                    _ENTER,
                    [command_key(each.session_id, each.command_id) for each in commands],
                    [command.session_id for command in commands],
                    [command.command_type for command in commands],
                    [command.worker_id for command in commands],
                    [command.epoch for command in commands],
                    batch,
                    [command.fingerprint for command in commands],
                    [command.client_ref for command in commands],
                )
        except StatementRefusedError:
            if len(commands) == 1:  # it does not come again
                self._unanswered.pop(commands[0], None)
            raise
        for command in commands:
            self._unanswered.pop(command, None)
        return _entries(commands, rows)

    async def look(self, command: Received) -> Entry:
        """Say what is known of a command that is not to be executed now; see the port."""
        async with self._database.direct("looking for a command") as connection:
            key = command_key(command.session_id, command.command_id)
            row = await connection.fetchrow(_LOOK, key)
        if row is None:
            return Entry(verdict=Verdict.NEW, attempts=0)
        entry = _entry(command, row, later=0, before=None)
        if entry.verdict in (Verdict.TAKEN, Verdict.DIFFERENT):
            return entry
        match row["state"]:
            case CommandState.RECEIVED:
                return replace(entry, verdict=Verdict.KNOWN, outcome=None)
            case CommandState.EXECUTING:
                return replace(entry, verdict=Verdict.INTERRUPTED)
            case _:
                return entry

    async def suspend(
        self,
        command_id: str,
        *,
        session_id: str,
        worker_id: str | None = None,
        epoch: int | None = None,
        stays_interrupted: bool = False,
    ) -> None:
        """Put what is `executing` but has had no effect back to `received`; see the port."""
        values = {
            "stays_interrupted": stays_interrupted,
            "id": command_key(session_id, command_id),
            "session_id": session_id,
            "worker_id": worker_id,
            "epoch": epoch,
        }
        async with self._database.statement("suspending a command") as connection:
            await connection.execute(_SUSPEND, values)

    async def reopen(
        self,
        command_id: str,
        *,
        session_id: str,
        states: Collection[CommandState],
        fingerprint: str | None = None,
    ) -> CommandState | None:
        """Forget a command's end, so that the command is executed when it comes again.

        It is NEW then, or INTERRUPTED if the gateway itself had failed, which may have been after
        it took effect. Its attempts are counted anew. One that is `received` or `executing` by now
        was reopened before, or has its run still before it: it needs nothing.

        Args:
            command_id: Which.
            session_id: Whose; another session's is left alone.
            states: The ends that are forgotten; a command in another state is left alone.
            fingerprint: What it says; one of the same id that says something else is left alone.

        Returns:
            The state it had, None if there is no such command.

        Raises:
            DependencyError: It may or may not be reopened; idempotent.
        """
        async with self._database.transaction("reopening a command") as connection:
            key = command_key(session_id, command_id)
            found = await connection.fetchval(_LOCK, key, session_id, fingerprint)
            if found in states:
                await connection.execute(_REOPEN, key, ErrorCode.INTERNAL.value)
        return None if found is None else CommandState(found)

    def _identify(self, commands: Sequence[Received]) -> UUID:
        """Return the batch's name: that of the one without an answer of which it is a part."""
        names = {self._unanswered.get(command) for command in commands}
        name = names.pop() if len(names) == 1 else None
        if name is None:
            name = uuid4()
            self._unanswered.update(dict.fromkeys(commands, name))
        return name


def _entries(commands: Sequence[Received], rows: Sequence[asyncpg.Record]) -> list[Entry]:
    """Answer the commands; of several arrivals of one in a batch only the first can be new."""
    entered = [
        (command.command_id, command.session_id, command.fingerprint) for command in commands
    ]
    left = Counter(key for key, row in zip(entered, rows, strict=True) if row["valid"])
    seen: dict[tuple[str, str, str | None], Received] = {}
    entries = []
    for key, command, row in zip(entered, commands, rows, strict=True):
        if not row["valid"]:
            entries.append(Entry(verdict=Verdict.FENCED, attempts=0))
            continue
        left[key] -= 1
        entries.append(_entry(command, row, later=left[key], before=seen.get(key)))
        seen[key] = command
    return entries


def _entry(command: Received, row: asyncpg.Record, *, later: int, before: Received | None) -> Entry:
    """Answer one arrival; `later` ones come after it in its batch, and one came right `before`."""
    if row["session_id"] != command.session_id:
        return Entry(verdict=Verdict.TAKEN, attempts=0)
    if None not in (row["fingerprint"], command.fingerprint) and (
        row["fingerprint"] != command.fingerprint
    ):
        return Entry(verdict=Verdict.DIFFERENT, attempts=0)
    attempts = row["attempts"]
    if row["state"] != CommandState.EXECUTING:
        outcome = read_outcome(
            row["outcome"] or {},
            command_id=command.command_id,
            command_type=row["type"],
            attempts=attempts,
        )
        return Entry(verdict=Verdict.FINISHED, attempts=attempts, outcome=outcome)
    worker, epoch = row["previous_worker_id"], row["previous_epoch"]
    if before is not None:
        worker, epoch = before.worker_id, before.epoch
    return Entry(
        verdict=Verdict.NEW if worker is None else Verdict.INTERRUPTED,
        attempts=attempts - later,
        previous_worker=worker,
        previous_epoch=epoch,
        received_at=row["received_at"],
        found=None if worker is None else read_found(row["outcome"] or {}),
    )
