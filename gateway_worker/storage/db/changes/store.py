"""The recorder's transaction: who owns what, what is new, which numbers it gets, what goes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from gateway_contracts import Topology
from gateway_worker.errors import PermanentError
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    OutboxRow,
    TransferRefusedError,
)
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft, Found
from gateway_worker.storage.db.changes.chat_naming import ChatNaming
from gateway_worker.storage.db.changes.columns import (
    event_columns,
    media_columns,
    media_update_columns,
    message_columns,
    outcome_columns,
    receipt_columns,
    session_columns,
)
from gateway_worker.storage.db.changes.deferred import write_deferred
from gateway_worker.storage.db.changes.fast_path import FastPath, Known, sender_of, sent_in
from gateway_worker.storage.db.changes.found_sends import write_found
from gateway_worker.storage.db.changes.other_ids import distrust
from gateway_worker.storage.db.changes.past import note_arrived
from gateway_worker.storage.db.changes.reads import write_reads
from gateway_worker.storage.db.changes.resolving import resolve
from gateway_worker.storage.db.changes.reviews import write_reviews
from gateway_worker.storage.db.changes.session_notes import write_notes
from gateway_worker.storage.db.changes.steps import (
    BESIDE,
    Sender,
    Step,
    beside_id,
    live,
    segments,
)
from gateway_worker.storage.db.changes.timers import write_timers
from gateway_worker.storage.db.changes.told import skip_told
from gateway_worker.storage.db.changes.uncertain_ends import resolve_ends, told_of_ends
from gateway_worker.storage.db.changes.votes import name_votes
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.database import BRIEF_LOCK_SECONDS, Database
from gateway_worker.storage.db.documents import mapping_text
from gateway_worker.storage.db.leases import LOCK_ROOM

Connection: TypeAlias = "asyncpg.Connection[Any]"


class Locked(NamedTuple):
    """A session's row, locked by this transaction."""

    epoch: int
    last_sequence: int
    worker_id: str | None
    metadata: str | None


class Unsure(NamedTuple):
    """A change of a commit that may have taken effect, though it failed.

    Attributes:
        change: Kept so that nothing else gets its identity.
        after: The last place in the outbox that was known before.
    """

    change: Change
    after: int


_LOCK_SECONDS: Final = 1.0
"""How long a batch waits for a row that somebody holds, before its sessions are told apart."""


class PostgresChangeStore:
    """Writes changes (the outbox's `ChangeStore`). One recorder calls it, batch after batch.

    A change is a repetition if its command has an outcome already or, for a change without an
    outcome, if its message or receipt is stored, or if it is to happen once and its event was told.
    An outcome is never held back because of its message: a command that ran must get its end.

    If a commit fails in a way that leaves open whether it took effect, the next one with a change
    of it first looks for its events in the outbox and answers with the rows it finds, so what comes
    again is not written twice and no event stays unannounced, however a batch is divided. Rows that
    another worker has taken over in between are left to that one. A transfer is found out in the
    same way, by its events or, without any, by the session's row.

    Args:
        database: Where to write.
        worker_id: This worker; its relay publishes the events.
    """

    def __init__(self, *, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._last_outbox_id = 0
        self._unsure: dict[int, Unsure] = {}
        self._chats = ChatNaming(worker_id=worker_id)
        self._fast_path = FastPath(worker_id=worker_id, chats=self._chats)

    @property
    def fast_commits(self) -> int:
        """How many batches were written in one statement."""
        return self._fast_path.taken

    async def answers(self) -> bool:
        """Tell soon whether the database can be used. Never raises."""
        return await self._database.answers()

    async def commit(
        self, changes: Sequence[Change], *, briefly: bool = False
    ) -> Sequence[Committed]:
        """Write all changes in one transaction, in order; one answer each.

        Args:
            changes: What is to be written.
            briefly: Give up after a tenth of a second if somebody holds a row of it.

        Raises:
            DependencyError: Nothing of the batch counts until it is committed again.
            StatementRefusedError: The database refuses something in the batch; nothing is written.
            TransferRefusedError: The worker that a session should go to cannot have it; nothing of
                the batch is written.
            ValueError: A change contradicts itself; nothing is written.
        """
        if not changes:
            return ()
        steps = [Step.of(change) for change in changes]
        if briefly or not await self._commit_at_once(steps):
            await self._commit_in_turn(steps, briefly=briefly)
        for change in changes:
            self._unsure.pop(id(change), None)
        self._fast_path.remember_sends(steps)
        gone = {step.change.session_id for step in steps if step.transferred}
        for step in steps:
            if step.change.session_id in gone:
                step.rows = ()  # the new owner publishes them
        last = (row.outbox_id for step in steps for row in step.rows)
        self._last_outbox_id = max(last, default=self._last_outbox_id)
        return [step.committed() for step in steps]

    async def _commit_at_once(self, steps: Sequence[Step]) -> bool:
        """Write a batch on the fast path; False if it does not go that way."""
        changes = [step.change for step in steps]
        if any(id(change) in self._unsure for change in changes):
            return False
        plan = self._fast_path.plan(steps, lock_seconds=_LOCK_SECONDS)
        if plan is None:
            return False
        try:
            async with self._database.direct("committing changes", again=True) as connection:
                return await self._fast_path.write(connection, plan, steps)
        except PermanentError:  # nothing is written: which of them is refused shows the other way
            return False
        except BaseException as error:
            self._note_failure(changes, error)
            raise

    async def _commit_in_turn(self, steps: Sequence[Step], *, briefly: bool) -> None:
        """Write a batch in one transaction, looking up what has to be known for it."""
        self._chats.begin()
        changes = [step.change for step in steps]  # as they came: a vote's is completed below
        sessions: dict[str, Locked] = {}
        patience = BRIEF_LOCK_SECONDS if briefly else _LOCK_SECONDS
        try:
            async with self._database.transaction(
                "committing changes", lock_seconds=patience
            ) as connection:
                for part in segments(steps):
                    sessions |= await self._write(connection, part)
        except BaseException as error:  # also when cancelled: the commit may be on its way
            self._note_failure(changes, error)
            raise
        self._chats.committed()
        gone = {step.change.session_id for step in steps if step.is_last}
        self._fast_path.forget(gone)
        self._fast_path.learn(
            {
                session_id: Known(row.epoch, row.last_sequence, row.metadata)
                for session_id, row in sessions.items()
                if session_id not in gone
            }
        )

    def _note_failure(self, changes: Sequence[Change], error: BaseException) -> None:
        """Note that changes may have been written, and where their events would be."""
        if isinstance(error, PermanentError | TransferRefusedError):
            if len(changes) == 1:  # it does not come again
                self._unsure.pop(id(changes[0]), None)
            return
        for change in changes:
            unsure = Unsure(change=change, after=self._last_outbox_id)
            self._unsure.setdefault(id(change), unsure)

    async def _write(self, connection: Connection, steps: Sequence[Step]) -> dict[str, Locked]:
        """Write a part of a batch; returns the sessions as they are afterwards."""
        sessions = await self._lock(connection, steps)
        changes = (self._unsure.get(id(step.change)) for step in steps)
        if places := [unsure.after for unsure in changes if unsure is not None]:
            steps = await self._unknown(connection, steps, sessions, after=min(places))
        for step in steps:
            if step.change.epoch is not None:
                locked = sessions.get(step.change.session_id)
                step.fenced = locked is None or locked.epoch != step.change.epoch
        rare = [step for step in steps if step.is_rare]
        await skip_told(connection, live(rare))
        await write_found(connection, live(rare))
        await name_votes(connection, steps)
        unclear = await told_of_ends(connection, live(steps))
        doubted = await self._take_up(connection, steps)
        await write_deferred(connection, rare, worker_id=self._worker_id)
        await self._write_media(connection, rare)
        await self._chats.name(connection, live(steps))
        await distrust(connection, doubted)
        await resolve(connection, live(steps), worker_id=self._worker_id)
        await resolve_ends(connection, unclear, worker_id=self._worker_id)
        await write_timers(connection, live(rare))
        await write_notes(connection, live(rare))
        await write_reads(connection, live(rare))
        await write_reviews(connection, live(rare))
        await self._chats.forget(connection, live(rare))
        await self._write_events(connection, steps, sessions)
        await self._delete(connection, rare)
        await self._transfer(connection, rare)
        return sessions

    async def _lock(self, connection: Connection, steps: Sequence[Step]) -> dict[str, Locked]:
        """Lock the sessions; returns those that exist.

        When this returns, no commit of these steps is still under way: neither another worker's nor
        an earlier one of this worker whose answer was lost.
        """
        if any(step.change.epoch is None for step in steps):
            await connection.execute(sql.LOCK_WORKER, self._worker_id)
        ids = {step.change.session_id for step in steps if step.change.epoch is not None}
        if not ids:
            return {}
        locked = await connection.fetch(sql.LOCK_SESSIONS, list(ids))
        return {session_id: Locked(*values) for session_id, *values in locked}

    async def _unknown(
        self,
        connection: Connection,
        steps: Sequence[Step],
        sessions: dict[str, Locked],
        *,
        after: int,
    ) -> list[Step]:
        """Return the steps that no earlier, uncertain commit has written; give the others rows.

        Args:
            connection: The transaction.
            steps: What is to be written.
            sessions: The rows that are locked.
            after: Events of such a commit are behind this place in the outbox.
        """
        event_ids = [draft.event.id for step in steps for draft in step.drafts]
        event_ids += [
            beside_id(step.drafts[0].event.id, kind)
            for step in steps
            if step.drafts
            for kind in BESIDE
        ]
        found = await connection.fetch(sql.FIND_EVENTS, after, event_ids)
        stored = {row["event_id"]: row for row in found}
        unknown = []
        for step in steps:
            if step.drafts and step.drafts[0].event.id in stored:
                step.transferred = step.change.transfer is not None
                rows = [(draft, stored[draft.event.id]) for draft in step.drafts]
                step.rows = tuple(
                    draft.row(row["id"], row["body"], row["sequence"], row["correlation_id"])
                    for draft, row in rows
                    if row["worker_id"] == self._worker_id
                )
                rows_beside = (*self._stored_beside(step, stored), *step.rows)
                step.rows = tuple(sorted(rows_beside, key=attrgetter("outbox_id")))
            elif not step.drafts and self._has_gone(step.change, sessions):
                step.transferred = True
            else:
                unknown.append(step)
        return unknown

    def _stored_beside(self, step: Step, stored: Mapping[str, Any]) -> Iterator[OutboxRow]:
        """Return what an earlier commit has announced right before a step, or right after it."""
        session_id = step.change.session_id
        for kind in BESIDE:
            row = stored.get(beside_id(step.drafts[0].event.id, kind))
            if row is not None and row["worker_id"] == self._worker_id:
                event_type = kind.model_fields["type"].default
                yield OutboxRow(
                    outbox_id=row["id"],
                    event_id=row["event_id"],
                    type=event_type,
                    session_id=session_id,
                    routing_key=Topology.event_key(event_type, session_id),
                    body=row["body"],
                    correlation_id=row["correlation_id"],
                    sequence=row["sequence"],
                )

    @staticmethod
    def _has_gone(change: Change, sessions: dict[str, Locked]) -> bool:
        """Tell whether a transfer that announces nothing has been committed."""
        locked = sessions.get(change.session_id)
        if change.transfer is None or change.epoch is None or locked is None:
            return False
        now = (locked.epoch, locked.worker_id)
        return now == (change.epoch + 1, change.transfer.to_worker)

    async def _take_up(self, connection: Connection, steps: Sequence[Step]) -> list[Step]:
        """Write outcomes, messages and receipts; find out which steps are repetitions.

        Returns the receipts, and the messages that another device shows, of which the one that was
        sent was found under another id than theirs.
        """
        first: dict[str, Step] = {}
        for step in live(steps):
            if (outcome := step.change.outcome) is not None:
                key = command_key(step.change.session_id, outcome.command_id)
                step.repeated = first.setdefault(key, step) is not step
        messages = [step for step in live(steps) if step.change.message is not None]
        receipts = [step for step in live(steps) if step.change.receipt is not None]
        if not (first or messages or receipts):
            return []
        sent = sent_in(step.change for step in messages)
        by_batch = [sender_of(step.change, sent) for step in receipts]
        taken = await connection.fetch(
            sql.TAKE_UP,
            self._worker_id,
            *outcome_columns([step.change for step in first.values()]),
            *message_columns([step.change for step in messages]),
            *receipt_columns([step.change for step in receipts], by_batch),
        )
        new = {tuple(row) for row in taken}
        doubted = _note_senders(new, messages, receipts)
        for step, sender in zip(receipts, by_batch, strict=True):
            step.sender = sender if sender.is_uncertain else step.sender
        for key, step in first.items():
            step.repeated = (key, None, None, None, None) not in new
        for step in live(steps):
            if (row := step.key) is None:
                continue
            if row in new:
                new.remove(row)  # the first of several has it
            else:
                step.repeated = step.change.outcome is None
        await note_arrived(connection, messages)
        return doubted

    @staticmethod
    async def _write_media(connection: Connection, steps: Sequence[Step]) -> None:
        """Write files that came, and what became of others; find out what is no news of them."""
        came = [step.change for step in live(steps) if step.change.media is not None]
        if came:
            await connection.execute(sql.KEEP_MEDIA, *media_columns(came))
        ended = [step for step in live(steps) if step.change.media_update is not None]
        if not ended:
            return
        columns = media_update_columns([step.change for step in ended])
        news = {tuple(row) for row in await connection.fetch(sql.END_MEDIA, *columns)}
        for step, key in zip(ended, zip(*columns[:2], strict=True), strict=True):
            step.repeated = key not in news
            news.discard(key)  # the first of several has it

    async def _write_events(
        self, connection: Connection, steps: Sequence[Step], locked: dict[str, Locked]
    ) -> None:
        """Number the events of the sessions and write them with the sessions' new values."""
        last_sequence = {name: session.last_sequence for name, session in locked.items()}
        drafts: list[Draft] = []
        sequences: list[int | None] = []
        known: list[Found] = []
        for step in live(steps):
            session_id = step.change.session_id
            session = None if step.change.epoch is None else locked[session_id]
            values = step.change.session
            if session is not None and values is not None and values.metadata is not None:
                metadata = mapping_text(values.metadata) if values.metadata else None
                session = locked[session_id] = session._replace(metadata=metadata)
            metadata = session and session.metadata
            found = Found(
                command_id=step.sender.command_id,
                client_ref=step.sender.client_ref,
                metadata=metadata,
                chat_id=step.chat_id,
            )
            beside = Found(metadata=metadata)
            known += [beside] * len(step.ahead) + [found] * len(step.drafts)
            known += [beside] * len(step.behind)
            for draft in step.told:
                drafts.append(draft)
                if session is None:
                    sequences.append(None)
                else:
                    last_sequence[session_id] += 1
                    sequences.append(last_sequence[session_id])
        for name, last in last_sequence.items():
            locked[name] = locked[name]._replace(last_sequence=last)
        sessions = session_columns(live(steps), last_sequence)
        if not (drafts or sessions[0]):
            return
        bodies = list(map(Draft.body, drafts, sequences, known))
        correlations = list(map(Draft.correlation, drafts, known))
        inserted = await connection.fetch(
            sql.WRITE_EVENTS,
            *sessions,
            self._worker_id,
            *event_columns(drafts, sequences, bodies, correlations),
        )
        rows = (
            draft.row(id_, body, sequence, correlation)
            for (id_,), body, draft, sequence, correlation in zip(
                inserted, bodies, drafts, sequences, correlations, strict=True
            )
        )
        for step in live(steps):
            step.rows = tuple(next(rows) for _ in step.told)

    @staticmethod
    async def _delete(connection: Connection, steps: Sequence[Step]) -> None:
        deletions = [step.change for step in live(steps) if step.change.delete]
        if not deletions:
            return
        ids = [change.session_id for change in deletions]
        own = [
            command_key(change.session_id, change.outcome.command_id)
            for change in deletions
            if change.outcome is not None
        ]
        await connection.execute(sql.DELETE_ROWS, ids, own)
        await connection.execute(sql.DELETE_PUBLISHED, ids)

    async def _transfer(self, connection: Connection, steps: Sequence[Step]) -> None:
        """Give sessions away, one room after the other, each in the order of the workers' ids."""
        leaving = [
            (change.transfer.to_worker, change.session_id, step)
            for step in live(steps)
            if (change := step.change).transfer is not None
        ]
        for target, session_id, step in sorted(leaving, key=lambda each: each[:2]):
            await connection.execute(LOCK_ROOM, target)
            gone = await connection.fetch(sql.TRANSFER, session_id, target, self._worker_id)
            if not gone:
                raise TransferRefusedError(f"the worker {target} cannot take the session")
            await connection.execute(sql.HAND_OVER_EVENTS, session_id, target)
            step.transferred = True


def _note_senders(
    rows: Iterable[tuple[Any, ...]], messages: Sequence[Step], receipts: Sequence[Step]
) -> list[Step]:
    """Note what has been found of messages of the account's own, and of those of receipts.

    Returns those of which that is to be doubted.
    """
    doubted = []
    for nothing, place, command_id, found, client_ref in rows:
        if nothing is None:
            *other, kind, number = place.split()
            step = (messages if kind == "message" else receipts)[int(number) - 1]
            step.sender = Sender(command_id, client_ref, is_uncertain=found == "uncertain")
            step.early = found == "early"
            if other:
                doubted.append(step)
    return doubted
