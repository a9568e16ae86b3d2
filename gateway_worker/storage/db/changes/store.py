"""The recorder's transaction: who owns what, what is new, which numbers it gets, what goes."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import asyncpg

from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.columns import (
    event_columns,
    message_columns,
    outcome_columns,
    receipt_columns,
    session_columns,
)
from gateway_worker.storage.db.changes.steps import Step, live, segments
from gateway_worker.storage.db.database import Database

Connection: TypeAlias = "asyncpg.Connection[Any]"


class PostgresChangeStore:
    """Writes changes (the outbox's `ChangeStore`). One recorder calls it, batch after batch.

    A change is a repetition if its command has an outcome already or, for a change without an
    outcome, if its message or receipt is stored. An outcome is never held back because of its
    message: a command that ran must get its end.

    If a commit fails in a way that leaves open whether it took effect, the next one first looks for
    its events in the outbox and answers with the rows it finds, so a retried batch is not written
    twice and no event stays unannounced.

    Args:
        database: Where to write.
        worker_id: This worker; its relay publishes the events.
    """

    def __init__(self, *, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._last_outbox_id = 0
        self._unsure = False

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        """Write all changes in one transaction, in order; one answer each.

        Raises:
            DependencyError: Nothing of the batch counts until it is committed again.
            StatementRefusedError: The database refuses something in the batch; nothing is written.
            ValueError: A change contradicts itself; nothing is written.
        """
        if not changes:
            return ()
        steps = [Step.of(change) for change in changes]
        try:
            async with self._database.transaction("committing changes") as connection:
                for part in segments(steps):
                    await self._write(connection, part)
        except BaseException:
            self._unsure = True
            raise
        self._unsure = False
        last = (row.outbox_id for step in steps for row in step.rows)
        self._last_outbox_id = max(last, default=self._last_outbox_id)
        return [step.committed() for step in steps]

    async def _write(self, connection: Connection, steps: Sequence[Step]) -> None:
        sessions = await self._lock(connection, steps)
        if self._unsure:
            steps = await self._unknown(connection, steps)
        for step in steps:
            if step.change.epoch is not None:
                epoch, _ = sessions.get(step.change.session_id, (None, 0))
                step.fenced = epoch != step.change.epoch
        await self._take_up(connection, steps)
        await self._write_events(
            connection, steps, {session_id: last for session_id, (_, last) in sessions.items()}
        )
        await self._delete(connection, steps)

    async def _lock(
        self, connection: Connection, steps: Sequence[Step]
    ) -> dict[str, tuple[int, int]]:
        """Lock the sessions; returns the epoch and the last sequence of each that exists.

        When this returns, no commit of these steps is still under way: neither another worker's nor
        an earlier one of this worker whose answer was lost.
        """
        if any(step.change.epoch is None for step in steps):
            await connection.execute(sql.LOCK_WORKER, self._worker_id)
        ids = {step.change.session_id for step in steps if step.change.epoch is not None}
        if not ids:
            return {}
        locked = await connection.fetch(sql.LOCK_SESSIONS, list(ids))
        return {session_id: (epoch, last) for session_id, epoch, last in locked}

    async def _unknown(self, connection: Connection, steps: Sequence[Step]) -> list[Step]:
        """Return the steps that no earlier, uncertain commit has written; give the others rows."""
        event_ids = [draft.event.id for step in steps for draft in step.drafts]
        found = await connection.fetch(sql.FIND_EVENTS, self._last_outbox_id, event_ids)
        stored = {event_id: (outbox_id, body) for outbox_id, event_id, body in found}
        unknown = []
        for step in steps:
            if step.drafts and step.drafts[0].event.id in stored:
                step.rows = tuple(draft.row(*stored[draft.event.id]) for draft in step.drafts)
            else:
                unknown.append(step)
        return unknown

    async def _take_up(self, connection: Connection, steps: Sequence[Step]) -> None:
        """Write outcomes, messages and receipts; find out which steps are repetitions."""
        first: dict[str, Step] = {}
        for step in live(steps):
            if (outcome := step.change.outcome) is not None:
                step.repeated = first.setdefault(outcome.command_id, step) is not step
        messages = [step.change for step in live(steps) if step.change.message is not None]
        receipts = [step.change for step in live(steps) if step.change.receipt is not None]
        if not (first or messages or receipts):
            return
        taken = await connection.fetch(
            sql.TAKE_UP,
            self._worker_id,
            *outcome_columns([step.change for step in first.values()]),
            *message_columns(messages),
            *receipt_columns(receipts),
        )
        new = {tuple(row) for row in taken}
        for command_id, step in first.items():
            step.repeated = (command_id, None, None, None) not in new
        for step in live(steps):
            if (key := step.key) is None:
                continue
            if key in new:
                new.remove(key)  # the first of several has it
            else:
                step.repeated = step.change.outcome is None

    async def _write_events(
        self, connection: Connection, steps: Sequence[Step], last_sequence: dict[str, int]
    ) -> None:
        """Number the events of the sessions and write them with the sessions' new values."""
        drafts: list[Draft] = []
        sequences: list[int | None] = []
        for step in live(steps):
            session_id = step.change.session_id
            for draft in step.drafts:
                drafts.append(draft)
                if step.change.epoch is None:
                    sequences.append(None)
                else:
                    last_sequence[session_id] += 1
                    sequences.append(last_sequence[session_id])
        sessions = session_columns(live(steps), last_sequence)
        if not (drafts or sessions[0]):
            return
        bodies = [draft.body(sequence) for draft, sequence in zip(drafts, sequences, strict=True)]
        inserted = await connection.fetch(
            sql.WRITE_EVENTS,
            *sessions,
            self._worker_id,
            *event_columns(drafts, sequences, bodies),
        )
        rows = (
            draft.row(id_, body)
            for (id_,), body, draft in zip(inserted, bodies, drafts, strict=True)
        )
        for step in live(steps):
            step.rows = tuple(next(rows) for _ in step.drafts)

    @staticmethod
    async def _delete(connection: Connection, steps: Sequence[Step]) -> None:
        deletions = [step.change for step in live(steps) if step.change.delete]
        if not deletions:
            return
        ids = [change.session_id for change in deletions]
        own = [change.outcome.command_id for change in deletions if change.outcome is not None]
        await connection.execute(sql.DELETE_ROWS, ids, own)
        await connection.execute(sql.DELETE_PUBLISHED, ids)
