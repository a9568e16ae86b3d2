"""What a handler is, what it gets and what it gives back."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from gateway_contracts import Result, SessionEvent
from gateway_worker.analytics.counters import CounterReading
from gateway_worker.commands.attachment_upload import SharedFile
from gateway_worker.commands.deferrals import Bulks, Deferrals
from gateway_worker.commands.features import DEFAULT, Feature
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.commands.log_levels import LevelSetting
from gateway_worker.commands.number_checks import NumberChecks
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.preparation import Preparation
from gateway_worker.commands.purging import Purging
from gateway_worker.commands.replaying import Replays
from gateway_worker.commands.shared_by_rows import SharedByRows
from gateway_worker.history.build import Privacy
from gateway_worker.history.reading import History
from gateway_worker.media.arriving.pictures import Pictures
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.media.arriving.service import ArrivingMedia
from gateway_worker.media.build import OutgoingFiles
from gateway_worker.media.previews import Preview
from gateway_worker.sessions.changes import (
    MessageRow,
    ReadMark,
    SessionValues,
    TimerRow,
    Transfer,
)
from gateway_worker.sessions.deferred import Bulk
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ports import MessageStore, SessionCatalog
from gateway_worker.sessions.session.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What handlers work with."""

    manager: SessionManager
    messages: MessageStore
    replays: Replays | None = None
    media: ArrivingMedia | None = None
    history: History | None = None
    counters: CounterReading | None = None
    privacy: Privacy | None = None
    files: OutgoingFiles | None = None
    deferred: Deferrals | None = None
    bulks: Bulks | None = None
    pictures: Pictures | None = None
    checks: NumberChecks = field(default_factory=NumberChecks)
    pacer: Pacer | None = None
    purging: Purging | None = None
    catalog: SessionCatalog | None = None
    log_levels: LevelSetting | None = None
    features: frozenset[Feature] = DEFAULT
    shared_files: SharedByRows[SharedFile] = field(default_factory=SharedByRows)
    shared_previews: SharedByRows[Preview] = field(default_factory=SharedByRows)
    bulk_id: str | None = None
    """The bulk that this command is a row of."""
    arrived: float = 0.0
    """When the command came, by the monotonic clock."""
    interrupted: bool = False
    """This command was begun before, by a worker that then died."""
    preparation: Preparation | None = None
    """What this command needed, ready; of types of commands that prepare something."""
    ends_at: float | None = None
    """When its time to run is up, by the monotonic clock; None if it has no bound."""

    def seconds_left(self) -> float | None:
        """Return for how long the command may still run, for each request that it makes."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A command's success, to be committed together with its outcome.

    Attributes:
        result: What the backend gets.
        session: The session whose epoch guards the commit; None if it concerned no single one.
        message: A message that was sent.
        bulk: A bulk that begins.
        media: A file that was put into the bucket.
        timer: What a chat is set to.
        read: Messages of others that are marked as read.
        events: What is announced before the command's outcome.
        forget: Ids of a person of whose chats nothing is to be known any more.
        delete: The session's rows are to go.
        transfer: The session goes to another worker.
        values: New values of the session's row.
        library_seconds: How much of the time was the WhatsApp library's.
        held_seconds: For how long it was held back by its session's pacing; None: there is none.
        is_kept: Whether a repeat of the command gets this result again; else it is answered anew.
    """

    result: Result
    session: Session | None
    message: MessageRow | None = None
    bulk: Bulk | None = None
    media: MediaRow | None = None
    timer: TimerRow | None = None
    read: ReadMark | None = None
    events: tuple[SessionEvent, ...] = ()
    forget: tuple[str, ...] = ()
    delete: bool = False
    transfer: Transfer | None = None
    values: SessionValues | None = None
    library_seconds: float = 0.0
    held_seconds: float | None = None
    is_kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageId:
    """A message by its chat and its id there."""

    chat: str
    message_id: str


class Needs(Enum):
    """What a session must have before a command can be executed; it waits for that in its place."""

    NOTHING = auto()
    QR = auto()
    """A code to scan, if one is about to come."""
    CONNECTION = auto()


class Retry(Enum):
    """Where a command waits for its next attempt."""

    IN_ORDER = auto()
    """In its session's mailbox: nothing of its lane overtakes it."""
    IN_BROKER = auto()
    """In a delay queue of the broker, for it has no session yet, and so no order."""


def _never(_command: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """How a command is kept from being done twice; the host's journal knows how far it came.

    Attributes:
        effect_of: Returns what is to be committed, from the host's answer to an earlier run.
        may_repeat: Whether the backend would rather have it done twice than perhaps not at all.
        message_of: Returns the row of the message that an uncertain run may have sent; None for
            what sends none.
    """

    effect_of: Callable[[Context, Session, Any, Any], Awaitable[Effect]]
    may_repeat: Callable[[Any], bool] = _never
    message_of: Callable[[Context, Session, Any, MessageId], Awaitable[MessageRow]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How a type of command is executed.

    Attributes:
        run: Executes one. Raises `GatewayError` with the code for the backend.
        lane: What it may overtake, and what may overtake it, within its session.
        order: Of a send, what its order holds among; None: among all sends.
        needs: What it waits for.
        prepare: Returns what it needs that takes long to have; that is brought about before it is
            executed, while sends of another order overtake. None for a command that needs nothing.
        retry: Where it waits between two attempts.
        paced: Returns whom it is sent to, of what its session's pacing holds back.
        typed: Returns how many characters of it somebody would have to type.
        once: For what must not be done twice; without it an interrupted run is repeated.
        look: Of what only reads what is stored (see `looked_up`): returns the result.
    """

    run: Callable[[Context, Any], Awaitable[Effect]]
    lane: Lane = Lane.LIFECYCLE
    order: Callable[[Any], Order] | None = None
    needs: Needs = Needs.NOTHING
    prepare: Callable[[Context, Any], Preparation | None] | None = None
    retry: Retry = Retry.IN_ORDER
    paced: Callable[[Any], str] | None = None
    typed: Callable[[Any], int] = lambda _command: 0
    once: Once | None = None
    look: Callable[[Context, Any], Awaitable[Result]] | None = None


def looked_up(
    look: Callable[[Context, Any], Awaitable[Result]], *, lane: Lane = Lane.FREE
) -> Handler:
    """Return the handler of a command that only reads what is stored.

    It needs no connection, is answered for sessions that nobody runs too, and its result is not
    kept: a repeat is answered anew.

    Args:
        look: Returns the result. Raises `GatewayError` with the code for the backend.
        lane: What it waits for: by default for nothing.
    """

    async def run(context: Context, command: Any) -> Effect:
        session = await context.manager.find(command.subject)
        result = await look(context, command)
        return Effect(result=result, session=session, is_kept=False)

    return Handler(run=run, lane=lane, look=look)
