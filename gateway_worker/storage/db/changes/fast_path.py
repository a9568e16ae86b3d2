"""The usual batch in one statement, which is one round trip and its own transaction.

Most batches are ends of commands, messages and receipts of sessions that this worker has had for a
while. All that the long way asks the database for is known of them beforehand: how far a session
has counted, what a conversation is called, which command has sent the message of a receipt. So
their events can be finished before they are written. The statement writes all or nothing, and only
where everything is still as it was when it was last seen; where it is not, or where somebody holds
a row, the long way finds out what that means.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from gateway_contracts import PollVoteContent
from gateway_worker.sessions.changes import Change, Direction
from gateway_worker.storage.db.changes.bodies import Draft, Found
from gateway_worker.storage.db.changes.chat_naming import ChatNaming
from gateway_worker.storage.db.changes.columns import (
    event_columns,
    message_columns,
    outcome_columns,
    receipt_columns,
)
from gateway_worker.storage.db.changes.steps import (
    NOBODY,
    Sender,
    Step,
    is_uncertain_end,
)
from gateway_worker.storage.db.command_keys import command_key

Connection: TypeAlias = "asyncpg.Connection[Any]"
Sent: TypeAlias = tuple[str, int | None, str, str]
"""A session, its epoch, a chat and the id of a message that was sent there.

What was sent under an epoch that is over says nothing: another worker may have erased it since, or
the session was deleted, and this is a namesake.
"""
_Row: TypeAlias = tuple[Draft, bytes, int, str | None]
"""An event, its JSON, its place in the session's stream and its `correlationid`."""

REMEMBERED_SESSIONS: Final = 10_000
REMEMBERED_SENDS: Final = 2_000
"""Messages of which is known which command has sent them."""


def _arrays(first: int, *types: str) -> str:
    """Return arrays as the arguments of `unnest`, from a number on.

    They are hidden from the planner, which would otherwise plan anew for each length of a batch,
    and take longer for that than the statement runs.
    """
    return ", ".join(f"(SELECT ${n}::{each}[])" for n, each in enumerate(types, first))


def _given(first: int, columns: str, *types: str) -> str:
    """Return a query for the rows of arrays.

    Of a limit that it does not know the planner expects a single row, so that rows are looked up by
    their keys, and no table is read whole: what is planned while one is small is still executed
    when it has grown.
    """
    return f"""SELECT * FROM unnest({_arrays(first, *types)}) AS u({columns})
            LIMIT (SELECT cardinality(${first}::{types[0]}[]))"""  # noqa: S608 - constant terms


_OUTCOME: Final = "id, session_id, type, state, outcome, epoch, attempts"
_MESSAGE: Final = """session_id, message_id, chat, direction, sender, content, timestamp,
                command_id, client_ref, uncertain"""
_RECEIPT: Final = "session_id, message_id, chat, participant, status, timestamp"
_WRITE: Final = f"""
    WITH owned AS MATERIALIZED (
        SELECT s.id FROM sessions AS s
        JOIN (
            {_given(2, "id, epoch, last_sequence, metadata", "text", "bigint", "bigint", "text")}
        ) AS u ON u.id = s.id
        WHERE s.epoch = u.epoch AND s.last_sequence = u.last_sequence
            AND NULLIF(s.metadata, '{{}}')::text IS NOT DISTINCT FROM u.metadata
            AND (SELECT set_config('lock_timeout', $39::text, true)) <> ''
        ORDER BY s.id FOR UPDATE OF s SKIP LOCKED
    ), ends AS MATERIALIZED (
        {_given(6, _OUTCOME, *["text"] * 5, "bigint", "int")}
    ), told AS MATERIALIZED (
        {_given(13, _MESSAGE, *["text"] * 6, "timestamptz", "text", "text", "boolean")}
    ), news AS MATERIALIZED (
        {_given(23, _RECEIPT, *["text"] * 5, "timestamptz")}
    ), usual AS MATERIALIZED (
        SELECT (SELECT count(*) FROM owned) = cardinality((SELECT $2::text[]))
            AND NOT EXISTS (
                SELECT FROM ends JOIN commands AS c ON c.id = ends.id
                WHERE c.state NOT IN ('executing', 'received') OR c.session_id <> ends.session_id)
            AND NOT EXISTS (
                SELECT FROM told JOIN messages AS m ON m.session_id = told.session_id
                    AND m.message_id = told.message_id AND m.direction = told.direction)
            AND NOT EXISTS (
                SELECT FROM news JOIN receipts AS r ON r.session_id = news.session_id
                    AND r.message_id = news.message_id AND r.chat = news.chat
                    AND r.participant = news.participant AND r.status = news.status) AS is_so
    ), finished AS (
        INSERT INTO commands AS c
            (id, session_id, type, state, outcome, epoch, attempts, worker_id, finished_at)
        SELECT id, session_id, type, state, outcome::jsonb, epoch, attempts, $1::text, now()
        FROM ends WHERE (SELECT is_so FROM usual) ORDER BY id
        ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, outcome = EXCLUDED.outcome,
            epoch = EXCLUDED.epoch, attempts = EXCLUDED.attempts, worker_id = EXCLUDED.worker_id,
            finished_at = EXCLUDED.finished_at
        WHERE c.state IN ('executing', 'received') AND c.session_id = EXCLUDED.session_id
        RETURNING 1
    ), stored AS (
        INSERT INTO messages
            (session_id, message_id, chat, direction, sender, content, timestamp, command_id,
                client_ref, uncertain)
        SELECT session_id, message_id, chat, direction, sender, content::jsonb, timestamp,
            command_id, client_ref, uncertain
        FROM told WHERE (SELECT is_so FROM usual)
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), noted AS (
        INSERT INTO receipts (session_id, message_id, chat, participant, status, timestamp)
        SELECT * FROM news WHERE (SELECT is_so FROM usual)
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), counted AS (
        UPDATE sessions AS s SET last_sequence = u.last_sequence, updated_at = now()
        FROM ({_given(29, "id, last_sequence", "text", "bigint")}) AS u
        WHERE s.id = u.id AND (SELECT is_so FROM usual)
        RETURNING 1
    ), written AS (
        INSERT INTO outbox (event_id, session_id, sequence, type, routing_key, body,
            correlation_id, traceparent, worker_id)
        SELECT u.event_id, u.session_id, u.sequence, u.type, u.routing_key, u.body,
            u.correlation_id, u.traceparent, $1::text
        FROM unnest({_arrays(31, *["text"] * 2, "bigint", "text", "text", "bytea", "text", "text")})
            WITH ORDINALITY AS u(event_id, session_id, sequence, type, routing_key, body,
                correlation_id, traceparent, place)
        WHERE (SELECT is_so FROM usual) ORDER BY u.place
        RETURNING id
    )
    SELECT id, 1 / ((SELECT count(*) FROM finished) = cardinality((SELECT $6::text[]))
        AND (SELECT count(*) FROM stored) = cardinality((SELECT $13::text[]))
        AND (SELECT count(*) FROM noted) = cardinality((SELECT $23::text[]))
        AND (SELECT count(*) FROM counted) = cardinality((SELECT $29::text[])))::int
    FROM written ORDER BY id
"""  # noqa: S608 - constant terms
"""$1 the worker's id; $2-5 sessions as they were last seen; $6-12 ends of commands; $13-22
messages; $23-28 receipts; $29-30 how far sessions count from now on; $31-38 events in order;
$39 for how many milliseconds it may wait for a row, other than of a session.

Returns the events' places in the outbox, or nothing, and nothing is written then. What somebody
writes in between all the same ends it with a division by zero, and nothing is written either.
"""


class Known(NamedTuple):
    """A session's row as it was last seen."""

    epoch: int
    last_sequence: int
    metadata: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be written.

    Attributes:
        columns: The statement's arguments.
        rows: Each step's events, still without their places in the outbox.
        sessions: The sessions as they are afterwards.
    """

    columns: Sequence[Any]
    rows: Sequence[Sequence[_Row]]
    sessions: Mapping[str, Known]


class FastPath:
    """Knows what the usual batch needs, and writes it.

    Args:
        worker_id: Whose changes they are.
        chats: Knows what conversations are called.
    """

    def __init__(self, *, worker_id: str, chats: ChatNaming) -> None:
        self._worker_id = worker_id
        self._chats = chats
        self._sessions: OrderedDict[str, Known] = OrderedDict()
        self._sent: OrderedDict[Sent, Sender] = OrderedDict()
        self.taken = 0

    def learn(self, sessions: Mapping[str, Known]) -> None:
        """Remember sessions as a transaction has left them."""
        for session_id, known in sessions.items():
            self._sessions[session_id] = known
            self._sessions.move_to_end(session_id)
        while len(self._sessions) > REMEMBERED_SESSIONS:
            self._sessions.popitem(last=False)

    def forget(self, session_ids: Iterable[str]) -> None:
        """Forget sessions that this worker has no longer, with all that their rows say of them."""
        for session_id in session_ids:
            self._sessions.pop(session_id, None)

    def remember_sends(self, steps: Sequence[Step]) -> None:
        """Remember what has sent the messages of steps that are committed."""
        for step in steps:
            if step.change.forget:
                self._forget_person(step.change)
        found = sent_in(step.change for step in steps if step.live)
        self._sent |= {key: by for key, by in found.items() if by.command_id is not None}
        while len(self._sent) > REMEMBERED_SENDS:
            self._sent.popitem(last=False)

    def _forget_person(self, change: Change) -> None:
        """Forget what was sent to a person of whom nothing is to be known any more."""
        for key in list(self._sent):
            if key[0] == change.session_id and key[2] in change.forget:
                del self._sent[key]

    def plan(self, steps: Sequence[Step], *, lock_seconds: float) -> Plan | None:
        """Return what is to be written of a batch; None if the long way has to be taken.

        Args:
            steps: The batch.
            lock_seconds: How long it may wait for a row.
        """
        if any(map(_is_unusual, steps)):
            return None
        sessions: dict[str, Known] = {}
        for step in steps:
            known = self._sessions.get(step.change.session_id)
            if known is None or known.epoch != step.change.epoch or not self._chats.recall(step):
                return None
            sessions[step.change.session_id] = known
        senders = self._senders(steps)
        if senders is None or _has_repeats(steps) or not any(step.drafts for step in steps):
            return None
        before = dict(sessions)
        rows = [
            _finished(step, sender, sessions) for step, sender in zip(steps, senders, strict=True)
        ]
        columns = self._columns(steps, senders, before, sessions, rows, lock_seconds)
        return Plan(columns=columns, rows=rows, sessions=sessions)

    async def write(self, connection: Connection, plan: Plan, steps: Sequence[Step]) -> bool:
        """Write a plan in one statement; False if nothing is written.

        Args:
            connection: Outside of a transaction, or in one of its own.
            plan: What `plan` has returned for these steps.
            steps: They get their rows.

        Raises:
            asyncpg.PostgresError: Nothing is written, unless the connection was lost.
        """
        found = await connection.fetch(_WRITE, *plan.columns)
        if not found:
            return False
        places = iter(found)
        for step, rows in zip(steps, plan.rows, strict=True):
            step.rows = tuple(
                draft.row(next(places)[0], body, sequence, correlation)
                for draft, body, sequence, correlation in rows
            )
        self.taken += 1
        self.learn(plan.sessions)
        return True

    def _senders(self, steps: Sequence[Step]) -> list[Sender] | None:
        """Return for each step what has sent its receipt's message; None if one is not known."""
        in_batch = sent_in(step.change for step in steps)
        senders = []
        for step in steps:
            sender = NOBODY
            if step.change.receipt is not None:
                sender = sender_of(step.change, in_batch)
                if sender is NOBODY:
                    sender = sender_of(step.change, self._sent)
                if sender.command_id is None or sender.is_uncertain:
                    return None
            senders.append(sender)
        return senders

    def _columns(
        self,
        steps: Sequence[Step],
        senders: Sequence[Sender],
        before: Mapping[str, Known],
        after: Mapping[str, Known],
        rows: Sequence[Sequence[_Row]],
        lock_seconds: float,
    ) -> Sequence[Any]:
        changes = [step.change for step in steps]
        by_receipt = [
            sender
            for change, sender in zip(changes, senders, strict=True)
            if change.receipt is not None
        ]
        events = [row for each in rows for row in each]
        drafts, bodies, sequences, correlations = zip(*events, strict=True)
        counted = [name for name, known in after.items() if known != before[name]]
        return (
            self._worker_id,
            list(before),
            [known.epoch for known in before.values()],
            [known.last_sequence for known in before.values()],
            [known.metadata for known in before.values()],
            *outcome_columns(changes),
            *message_columns(changes)[:10],
            *receipt_columns(changes, by_receipt)[:6],
            counted,
            [after[name].last_sequence for name in counted],
            *event_columns(drafts, sequences, bodies, correlations),
            f"{lock_seconds * 1000:.0f}",
        )


def _is_unusual(step: Step) -> bool:
    """Whether a step has more than the statement writes, or is about what has to be looked up."""
    message = step.change.message
    if step.is_rare or step.change.epoch is None or is_uncertain_end(step.change):
        return True
    if message is None:
        return False
    is_shown = message.direction is Direction.OUT and message.command_id is None
    return is_shown or message.is_uncertain or isinstance(message.content, PollVoteContent)


def _has_repeats(steps: Sequence[Step]) -> bool:
    """Whether two steps of a batch would write the same row."""
    rows = [step.key for step in steps if step.key is not None]
    ends = [
        command_key(step.change.session_id, step.change.outcome.command_id)
        for step in steps
        if step.change.outcome is not None
    ]
    return len(set(rows)) < len(rows) or len(set(ends)) < len(ends)


def _finished(step: Step, sender: Sender, sessions: dict[str, Known]) -> list[_Row]:
    """Finish a step's events; counts the session on."""
    session_id = step.change.session_id
    rows = []
    for draft in step.drafts:
        known = sessions[session_id]
        known = sessions[session_id] = known._replace(last_sequence=known.last_sequence + 1)
        found = Found(
            command_id=sender.command_id,
            client_ref=sender.client_ref,
            metadata=known.metadata,
            chat_id=step.chat_id,
        )
        sequence = known.last_sequence
        rows.append((draft, draft.body(sequence, found), sequence, draft.correlation(found)))
    return rows


def sent_in(changes: Iterable[Change]) -> dict[Sent, Sender]:
    """Return what a batch's own messages have been sent by, by where they are; see `Sent`."""
    return {
        (change.session_id, change.epoch, message.chat, message.message_id): Sender(
            message.command_id, message.client_ref, message.is_uncertain
        )
        for change in changes
        if (message := change.message) is not None and message.direction is Direction.OUT
    }


def sender_of(change: Change, sent: Mapping[Sent, Sender]) -> Sender:
    """Return what has sent a receipt's message, as far as that is among what was sent."""
    receipt = change.receipt
    if receipt is None or not sent:
        return NOBODY
    is_direct = receipt.chat == receipt.participant
    chats = (receipt.chat, receipt.participant_lid if is_direct else None)
    session_id, epoch, message_id = change.session_id, change.epoch, receipt.message_id
    keys = ((session_id, epoch, chat, message_id) for chat in chats if chat is not None)
    return next((sent[key] for key in keys if key in sent), NOBODY)
