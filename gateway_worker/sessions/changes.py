"""What is committed together: a new state, the rows behind it and the events that announce it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway_contracts import Account, Content, ErrorBody, ReceiptStatus, Result, SessionEvent
from gateway_contracts.events import SessionState


class DesiredState(StrEnum):
    """What the backend wants of a session, whatever its state is now."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUpdate:
    """New values of a session's row; None leaves the column alone."""

    state: SessionState | None = None
    desired: DesiredState | None = None
    account: Account | None = None
    forget_account: bool = False
    """Set the account to NULL (after a logout)."""


class Direction(StrEnum):
    """Which way a message went."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message for the history. Unique by session, chat, message id and direction."""

    chat: str
    message_id: str
    direction: Direction
    sender: str
    """JID of the writer."""
    content: Content
    timestamp: datetime
    command_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """How far one of our messages got with one participant. Unique by all fields but the time."""

    message_id: str
    participant: str
    status: ReceiptStatus
    timestamp: datetime


class CommandState(StrEnum):
    """Where a command stands in the inbox."""

    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A command's one end: either a result or an error."""

    command_id: str
    command_type: str
    result: Result | None = None
    error: ErrorBody | None = None
    attempts: int = 1

    @property
    def state(self) -> CommandState:
        """The command's state in the inbox."""
        return CommandState.SUCCEEDED if self.error is None else CommandState.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic step of one session.

    If `message` or `receipt` is stored already, the step has happened before: nothing of it is
    written again and none of its events goes out.

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
        delete: Remove the session's rows in every table, after the events are in the outbox.
    """

    session_id: str
    epoch: int | None
    events: tuple[SessionEvent, ...] = ()
    outcome: Outcome | None = None
    session: SessionUpdate | None = None
    message: MessageRow | None = None
    receipt: ReceiptRow | None = None
    delete: bool = field(default=False)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of one `Change`.

    Attributes:
        applied: False if it had happened before (then `rows` is empty).
        fenced: True if another worker owns the session now: nothing was written.
        rows: The events as stored, in order.
    """

    applied: bool = True
    fenced: bool = False
    rows: tuple[OutboxRow, ...] = ()
