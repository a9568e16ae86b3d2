"""What is committed together: a new state, the rows of it and the events that announce it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from gateway_contracts import (
    Account,
    Content,
    DayCounts,
    ErrorBody,
    ErrorCode,
    ReceiptStatus,
    Result,
    SessionEvent,
    SessionSettings,
)
from gateway_contracts.events import SessionState
from gateway_worker.errors import GatewayError
from gateway_worker.media.arriving.records import MediaRow, MediaUpdate
from gateway_worker.sessions.deferred import Bulk, BulkUpdate, DeferredEnd, DeferredRow
from gateway_worker.sessions.found_sends import FoundSend


def source_of(worker_id: str) -> str:
    """Return the `source` attribute of a worker's events."""
    return f"/workers/{worker_id}"


class DesiredState(StrEnum):
    """What the backend wants of a session, whatever its state is now."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachout:
    """What WhatsApp has last said of new chats: how often it refused in a row, and the hold."""

    refusals: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionValues:
    """New values of a session's row; None leaves the column alone."""

    state: SessionState | None = None
    desired: DesiredState | None = None
    account: Account | None = None
    forget_account: bool = False
    """Set the account to NULL (after a logout)."""
    reachout: Reachout | None = None
    settings: SessionSettings | None = None
    labels: dict[str, str] | None = None
    metadata: dict[str, str] | None = None


class Direction(StrEnum):
    """Which way a message went."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message for the history. Unique by session, chat, message id, direction and writer."""

    chat: str
    message_id: str
    direction: Direction
    sender: str
    """JID of the writer."""
    content: Content
    timestamp: datetime
    command_id: str | None = None
    client_ref: str | None = None
    """What the backend that sent it calls it."""
    is_uncertain: bool = False
    """Whether nobody knows if it was sent, until a receipt or another device shows it."""
    sender_lid: str | None = None
    """The writer's LID, if that is known too: one and the same message may be stored under it, from
    a time at which the number was not known."""
    asked: str | None = None
    """The chat as the command named it, where WhatsApp writes the number in another way: whoever
    asks by that one means this chat."""
    change: Content | None = None
    """Of a message that was looked up: its last edit, or its deletion, which is a row of its own.
    It does not become part of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """How far one of our messages got with one participant.

    Unique by session, chat, message id, participant and status. The event that announces it gets
    the command that sent the message as its `correlationid`, and that one's `client_ref`, at the
    commit.
    """

    chat: str
    message_id: str
    participant: str
    status: ReceiptStatus
    timestamp: datetime
    participant_lid: str | None = None
    """The participant's LID, if that is known too: the chat may be stored under it."""
    waits: bool = False
    """Whether it is held back (`Committed.early`) if its message is not stored and a send of the
    session is executing, whose message it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRow:
    """What a chat is set to: after how long its messages disappear; 0: they stay."""

    chat: str
    seconds: int
    set_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMark:
    """Messages of others in a chat that the account has read, and all before them.

    Attributes:
        chat: One of the chat's ids.
        message_ids: Which messages.
        at: When they were read, which counts if the gateway has none of them.
    """

    chat: str
    message_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """How far a session has been looked at beside its traffic; None leaves a value alone.

    Attributes:
        unconfirmed: The last message that was looked at for what nobody has confirmed: when it was
            stored, its id, its chat.
        told_day: The last day whose counts have been told.
        grade: How the session does, as it was last told.
    """

    unconfirmed: tuple[datetime, str, str] | None = None
    told_day: date | None = None
    grade: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDay:
    """What was counted of a day; written over what was counted before."""

    counts: DayCounts
    labels: Mapping[str, str]


class CommandState(StrEnum):
    """Where a command stands in the inbox."""

    RECEIVED = "received"
    """It waits and has not begun, or its last attempt is known to have had no effect."""
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """It ended without anybody knowing whether it took effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A command's one end: either a result or an error."""

    command_id: str
    command_type: str
    result: Result | None = None
    error: ErrorBody | None = None
    attempts: int = 1
    message_id: str | None = None
    """Of an uncertain send: which message it would be."""
    chat: str | None = None
    is_kept: bool = True
    """Whether its result is stored: a repeat of what is only looked up is answered anew."""

    @property
    def state(self) -> CommandState:
        """The command's state in the inbox."""
        if self.error is None:
            return CommandState.SUCCEEDED
        uncertain = self.error.code == ErrorCode.UNCERTAIN
        return CommandState.UNCERTAIN if uncertain else CommandState.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The session goes to another worker, in good order."""

    to_worker: str


class TransferRefusedError(GatewayError):
    """The worker that should get the session has no valid lease, drains, or is full.

    Nothing of the change is written; the session stays where it is. It is no `RetryableError`: a
    recorder must not wait until the other worker has room.
    """

    code = ErrorCode.CAPACITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic step of one session.

    If `message` or `receipt` is stored already, the step has happened before: nothing of it is
    written again and none of its events goes out. So it is if it is to happen `once` and its first
    event was told before.

    Attributes:
        session_id: Whose step it is.
        epoch: The fencing epoch under which this worker owns the session; the step is refused if
            the row has another. None for a session without a row (a command to an unknown one);
            its events carry no sequence.
        events: What to announce, in order, without `sequence`: it is given at the commit.
        outcome: The end of a command, if this step is one.
        session: New values of the session's row.
        message: A message for the history.
        receipt: News of a message.
        media: The file that came with the message.
        media_update: What became of a file. If it is there already, or its row is gone, nothing of
            the step is written.
        timer: What a chat is set to; written if this is the latest word of it.
        deferred: A command that is put off; it is `received` in the inbox from then on.
        deferred_end: The end of one that was; its row goes even if the outcome was there before.
        bulk: A bulk that begins.
        bulk_update: How one stands from now on. If it has none of the states that it should come
            from, nothing of the step is written.
        found: What became of a send that ended as uncertain, or which message it would be. The
            events tell its good end, and go out only if it has one by that.
        read: What the account has read.
        forget: Ids of a person of whose chats nothing is to be known any more.
        review: How far the session has been looked at.
        counted: Days that have been counted.
        once: Whether the first event has the same id whenever the same thing arrives.
        delete: Remove the session's rows in every table, after the events are in the outbox.
        transfer: Give the session away after all of that, in the same transaction: its new owner
            has it with the next epoch and publishes what is still unpublished, these events too.
            Later changes under this epoch are fenced. Raises `TransferRefusedError`, and nothing
            of the change is written, if that worker cannot have it.
    """

    session_id: str
    epoch: int | None
    events: tuple[SessionEvent, ...] = ()
    outcome: Outcome | None = None
    session: SessionValues | None = None
    message: MessageRow | None = None
    receipt: ReceiptRow | None = None
    media: MediaRow | None = None
    media_update: MediaUpdate | None = None
    timer: TimerRow | None = None
    deferred: DeferredRow | None = None
    deferred_end: DeferredEnd | None = None
    bulk: Bulk | None = None
    bulk_update: BulkUpdate | None = None
    found: FoundSend | None = None
    read: ReadMark | None = None
    forget: tuple[str, ...] = ()
    review: Review | None = None
    counted: tuple[CountedDay, ...] = ()
    once: bool = False
    delete: bool = field(default=False)
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """An event on its way to the broker; `outbox_id` grows in the order of publication."""

    outbox_id: int
    event_id: str
    type: str
    session_id: str
    routing_key: str
    body: bytes
    correlation_id: str | None = None
    traceparent: str | None = None
    sequence: int | None = None
    """Its place in the session's stream; None for an event of nobody's session."""


PAGE_BYTES: Final = 16 * 1024 * 1024
"""Of events that are read at a time: one may have some MiB."""


def is_last_page(rows: Sequence[OutboxRow], *, limit: int) -> bool:
    """Whether these are all that there were, of at most so many that were asked for."""
    return len(rows) < limit and sum(len(row.body) for row in rows) < PAGE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of one `Change`.

    Attributes:
        applied: False if it had happened before, or is early (then `rows` is empty).
        early: Nothing was written of a receipt that `waits`: its message may be stored later, at
            the end of a send that is executing.
        fenced: True if another worker owns the session now: nothing was written.
        rows: The events as stored, in order, as far as this worker is to publish them.
        transferred: Whether the session belongs to another worker now, as the change wanted; that
            one publishes the events.
    """

    applied: bool = True
    early: bool = False
    fenced: bool = False
    rows: tuple[OutboxRow, ...] = ()
    transferred: bool = False
