"""The recorder's transaction: who owns what, what is new, which numbers it gets, what goes."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway_worker.sessions.changes import Change, Committed, OutboxRow, SessionUpdate
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.steps import (
    MessageKey,
    ReceiptKey,
    Step,
    live,
    segments,
)
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import model_text, outcome_text

_NO_UPDATE = SessionUpdate()


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
                known = await self._recognise(connection, steps) if self._unsure else set[int]()
                fresh = [step for index, step in enumerate(steps) if index not in known]
                for part in segments(fresh):
                    await self._write(connection, part)
        except BaseException:
            self._unsure = True
            raise
        self._unsure = False
        last = (row.outbox_id for step in steps for row in step.rows)
        self._last_outbox_id = max(last, default=self._last_outbox_id)
        return [step.committed() for step in steps]

    async def _recognise(self, connection: AsyncConnection, steps: Sequence[Step]) -> set[int]:
        """Find the steps that an earlier, uncertain commit has written; their rows are set."""
        event_ids = [draft.event.id for step in steps for draft in step.drafts]
        found = await connection.execute(
            sql.FIND_EVENTS, {"after": self._last_outbox_id, "event_ids": event_ids}
        )
        stored = {event_id: (outbox_id, body) for outbox_id, event_id, body in found}
        known = set()
        for index, step in enumerate(steps):
            if step.drafts and step.drafts[0].event.id in stored:
                step.rows = tuple(
                    _outbox_row(*stored[draft.event.id], draft) for draft in step.drafts
                )
                known.add(index)
        return known

    async def _write(self, connection: AsyncConnection, steps: Sequence[Step]) -> None:
        await self._fence(connection, steps)
        await self._finish_commands(connection, steps)
        await self._insert_messages(connection, steps)
        await self._insert_receipts(connection, steps)
        sequences = await self._update_sessions(connection, steps)
        await self._insert_events(connection, steps, sequences)
        await self._delete(connection, steps)

    @staticmethod
    async def _fence(connection: AsyncConnection, steps: Sequence[Step]) -> None:
        """Lock the sessions, and drop the steps of those that this worker does not own any more."""
        ids = {step.change.session_id for step in steps if step.change.epoch is not None}
        if not ids:
            return
        locked = await connection.execute(sql.LOCK_SESSIONS, {"ids": list(ids)})
        epochs = {row.id: row.epoch for row in locked}
        for step in steps:
            if step.change.epoch is not None:
                step.fenced = epochs.get(step.change.session_id) != step.change.epoch

    async def _finish_commands(self, connection: AsyncConnection, steps: Sequence[Step]) -> None:
        first: dict[str, Step] = {}
        for step in live(steps):
            if (outcome := step.change.outcome) is not None:
                step.repeated = first.setdefault(outcome.command_id, step) is not step
        if not first:
            return
        pairs = [(step.change, step.change.outcome) for step in first.values()]
        ends = [(change, outcome) for change, outcome in pairs if outcome is not None]
        finished = await connection.execute(
            sql.FINISH_COMMANDS,
            {
                "ids": [outcome.command_id for _, outcome in ends],
                "session_ids": [change.session_id for change, _ in ends],
                "types": [outcome.command_type for _, outcome in ends],
                "states": [outcome.state.value for _, outcome in ends],
                "outcomes": [outcome_text(outcome) for _, outcome in ends],
                "epochs": [change.epoch for change, _ in ends],
                "attempts": [outcome.attempts for _, outcome in ends],
                "worker_id": self._worker_id,
            },
        )
        written = set(finished.scalars())
        for command_id, step in first.items():
            step.repeated = command_id not in written

    @staticmethod
    async def _insert_messages(connection: AsyncConnection, steps: Sequence[Step]) -> None:
        first: dict[MessageKey, Step] = {}
        for step in live(steps):
            if (key := step.message_key) is not None:
                first_one = first.setdefault(key, step)
                step.repeated = first_one is not step and step.change.outcome is None
        if not first:
            return
        keys = list(first)
        rows = [step.change.message for step in first.values()]
        messages = [row for row in rows if row is not None]
        inserted = await connection.execute(
            sql.INSERT_MESSAGES,
            {
                "session_ids": [key[0] for key in keys],
                "message_ids": [key[1] for key in keys],
                "chats": [key[2] for key in keys],
                "directions": [key[3] for key in keys],
                "senders": [message.sender for message in messages],
                "contents": [model_text(message.content) for message in messages],
                "timestamps": [message.timestamp for message in messages],
                "command_ids": [message.command_id for message in messages],
            },
        )
        new = {tuple(row) for row in inserted}
        for key, step in first.items():
            step.repeated = key not in new and step.change.outcome is None

    @staticmethod
    async def _insert_receipts(connection: AsyncConnection, steps: Sequence[Step]) -> None:
        first: dict[ReceiptKey, Step] = {}
        for step in live(steps):
            if (key := step.receipt_key) is not None:
                first_one = first.setdefault(key, step)
                step.repeated = first_one is not step and step.change.outcome is None
        if not first:
            return
        keys = list(first)
        rows = [step.change.receipt for step in first.values()]
        inserted = await connection.execute(
            sql.INSERT_RECEIPTS,
            {
                "session_ids": [key[0] for key in keys],
                "message_ids": [key[1] for key in keys],
                "participants": [key[2] for key in keys],
                "statuses": [key[3] for key in keys],
                "timestamps": [row.timestamp for row in rows if row is not None],
            },
        )
        new = {tuple(row) for row in inserted}
        for key, step in first.items():
            step.repeated = key not in new and step.change.outcome is None

    @staticmethod
    async def _update_sessions(
        connection: AsyncConnection, steps: Sequence[Step]
    ) -> dict[str, int]:
        """Write the sessions' new values and take their numbers; returns each one's first."""
        events: dict[str, int] = {}
        updates: dict[str, SessionUpdate] = {}
        for step in live(steps):
            change = step.change
            if change.epoch is None:
                continue
            events[change.session_id] = events.get(change.session_id, 0) + len(step.drafts)
            updates[change.session_id] = _then(
                updates.get(change.session_id, _NO_UPDATE), change.session
            )
        if not any(events.values()) and all(update == _NO_UPDATE for update in updates.values()):
            return {}
        values = list(updates.values())
        updated = await connection.execute(
            sql.UPDATE_SESSIONS,
            {
                "ids": list(events),
                "events": list(events.values()),
                "states": [update.state and update.state.value for update in values],
                "desired": [update.desired and update.desired.value for update in values],
                "accounts": [update.account and model_text(update.account) for update in values],
                "forget": [update.forget_account for update in values],
            },
        )
        return {session_id: last - events[session_id] + 1 for session_id, last in updated}

    async def _insert_events(
        self, connection: AsyncConnection, steps: Sequence[Step], next_sequence: dict[str, int]
    ) -> None:
        drafts: list[Draft] = []
        sequences: list[int | None] = []
        for step in live(steps):
            session_id = step.change.session_id
            for draft in step.drafts:
                owned = step.change.epoch is not None
                sequences.append(next_sequence[session_id] if owned else None)
                drafts.append(draft)
                if owned:
                    next_sequence[session_id] += 1
        if not drafts:
            return
        bodies = [draft.body(sequence) for draft, sequence in zip(drafts, sequences, strict=True)]
        events = [draft.event for draft in drafts]
        inserted = await connection.execute(
            sql.INSERT_EVENTS,
            {
                "event_ids": [event.id for event in events],
                "session_ids": [event.subject for event in events],
                "sequences": sequences,
                "types": [event.type for event in events],
                "routing_keys": [draft.routing_key for draft in drafts],
                "bodies": bodies,
                "correlation_ids": [event.correlationid for event in events],
                "traceparents": [event.traceparent for event in events],
                "worker_id": self._worker_id,
            },
        )
        rows = map(_outbox_row, inserted.scalars(), bodies, drafts)
        for step in live(steps):
            step.rows = tuple(next(rows) for _ in step.drafts)

    @staticmethod
    async def _delete(connection: AsyncConnection, steps: Sequence[Step]) -> None:
        deletions = [step.change for step in live(steps) if step.change.delete]
        if not deletions:
            return
        ids = [change.session_id for change in deletions]
        own = [change.outcome.command_id for change in deletions if change.outcome is not None]
        await connection.execute(sql.DELETE_ROWS, {"ids": ids, "kept_commands": own})
        await connection.execute(sql.DELETE_PUBLISHED, {"ids": ids})


def _then(before: SessionUpdate, after: SessionUpdate | None) -> SessionUpdate:
    """Fold two updates of one session into one; what the later one leaves alone stays."""
    if after is None:
        return before
    forget = after.forget_account or (before.forget_account and after.account is None)
    return SessionUpdate(
        state=after.state or before.state,
        desired=after.desired or before.desired,
        account=None if forget else after.account or before.account,
        forget_account=forget,
    )


def _outbox_row(outbox_id: int, body: bytes, draft: Draft) -> OutboxRow:
    event = draft.event
    return OutboxRow(
        outbox_id=outbox_id,
        event_id=event.id,
        type=event.type,
        session_id=event.subject,
        routing_key=draft.routing_key,
        body=body,
        correlation_id=event.correlationid,
        traceparent=event.traceparent,
    )
