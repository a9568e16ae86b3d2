"""What commands need from broker and database."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway_contracts import Command, ErrorBody, FieldError
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.sessions.changes import Outcome
from gateway_worker.sessions.deferred import DeferredKey
from gateway_worker.sessions.found_sends import FoundSend
from gateway_worker.tenants.grants import Grant


class Settlement(StrEnum):
    """What becomes of a delivery."""

    ACK = "ack"
    """Its outcome is committed."""
    DEAD = "dead"
    """Nobody can execute it: to the dead letters, with the reason."""
    REQUEUE = "requeue"
    """Not taken on: back to the queue for this or another worker (only while draining)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a delivery went to the dead letters."""

    code: str
    reason: str
    attempts: int | None = None
    """How often it was tried, if the caller counts; otherwise the broker's deliveries count."""
    errors: tuple[FieldError, ...] = ()
    """Each fault in the command, by its place, if that is what it died of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """A command that was put off, and is to be executed now.

    Attributes:
        command: It.
        epoch: The one under which this worker has its session.
        key: Its row.
        bulk_id: The bulk that it is a row of.
        may_wait: Whether it waits until its session is connected, however long that takes.
        note: Called with how it has ended, once that is committed; None is well.
        postpone: Called with for how many seconds it is not to be handed on again, if it is held
            back for too long to wait in its place. Without it, it fails then.
        is_wanted: Asked when its turn has come; if it says no, it is left as it is.
    """

    command: Command
    epoch: int
    key: DeferredKey
    bulk_id: str | None = None
    may_wait: bool = False
    note: Callable[[ErrorBody | None], None] | None = None
    postpone: Callable[[float], None] | None = None
    is_wanted: Callable[[], bool] = lambda: True


class Excess(StrEnum):
    """Why a command is more than may wait at a worker."""

    COMMANDS = "commands"
    """As many of its tenant wait as may."""
    BYTES = "bytes"
    """Those that wait take as much memory as they may."""


class Delivery(Protocol):
    """One command as the broker handed it over.

    After a lost connection the same command comes again; the consumer then swaps the handle inside,
    so settling works at any time.
    """

    @property
    def body(self) -> bytes:
        """The raw body; only its beginning if it was too large to be read."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size of the whole body."""
        ...

    @property
    def unassigned(self) -> bool:
        """Whether it came from the shared queue of sessions without an owner."""
        ...

    @property
    def redelivered(self) -> bool:
        """Whether the broker had handed it out before."""
        ...

    @property
    def origin(self) -> str | None:
        """The worker whose queue it was taken from; None for the shared queue."""
        ...

    @property
    def came_from(self) -> str | None:
        """The worker whose queue it was first forwarded from (`wa-from`); None if it was not."""
        ...

    @property
    def stage(self) -> int | None:
        """The change of owner that ended the queue in which it was first (`wa-stage`).

        None if it says nothing of that; see `handover_path`.
        """
        ...

    @property
    def hop(self) -> int | None:
        """The change of owner along which it was forwarded last (`wa-hop`); None if it was not."""
        ...

    @property
    def hops(self) -> int:
        """How often it was forwarded (`wa-hops`)."""
        ...

    @property
    def control(self) -> str | None:
        """What it says if it is a message among workers (`wa-control`); None for a command."""
        ...

    @property
    def routing_key(self) -> str:
        """The routing key it was published with: a session id or `worker.<id>`."""
        ...

    @property
    def first_routing_key(self) -> str:
        """The routing key that its sender published it with, whatever way it has come since."""
        ...

    @property
    def attempts_before(self) -> int:
        """How often it was tried before it waited in a retry tier (`wa-attempt`)."""
        ...

    @property
    def message_id(self) -> str | None:
        """The AMQP message id, if it has one."""
        ...

    @property
    def traceparent(self) -> str | None:
        """The header of that name, if its sender has put one there that can be one."""
        ...

    @property
    def message_type(self) -> str | None:
        """The AMQP type, if it has one."""
        ...

    @property
    def headers(self) -> Mapping[str, Any]:
        """The AMQP headers, the broker's own among them."""
        ...

    @property
    def grant(self) -> Grant:
        """What its sender may do."""
        ...

    @property
    def excess(self) -> Excess | None:
        """Why it is more than may wait here, so that it is to be refused; None if it is not."""
        ...

    @property
    def deferred(self) -> "Deferred | None":
        """What it is if it was put off until now; None for what has just come from the broker."""
        ...

    @property
    def is_settled(self) -> bool:
        """Whether nothing can come of it any more: settled, or back with the rest of its queue."""
        ...

    async def settle(self, settlement: Settlement, refusal: Refusal | None = None) -> None:
        """Acknowledge, dead-letter or give back. Bounded in time, never raises, idempotent."""
        ...


class Postponer(Protocol):
    """Puts commands that have no order into the delay queues."""

    async def retry_later(
        self, delivery: Delivery, *, seconds: float, attempts: int, within: float | None = None
    ) -> None:
        """Have a command come again after about `seconds`, counted as tried `attempts` times.

        Sooner if it would be `within` so many seconds only: then its deadline passes.

        Raises:
            DependencyError: The broker has not confirmed it.
        """
        ...


class CommandSink(Protocol):
    """Takes deliveries from the consumer (implemented by the dispatcher)."""

    def accept(self, delivery: Delivery) -> None:
        """Take one delivery.

        Must only queue it and return: any connection loss may cancel the consumer's callback.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A command to enter into the inbox.

    `epoch` is the one under which the worker has the session; None, for a session without a row
    known here, asks for no check. `fingerprint` stands for what it says; None is like any.
    `client_ref` is what its backend calls the message that it sends.
    """

    command_id: str
    session_id: str
    command_type: str
    worker_id: str
    epoch: int | None = None
    fingerprint: str | None = None
    client_ref: str | None = None


class Verdict(StrEnum):
    """What the inbox says of a command."""

    NEW = "new"
    """Never seen, or suspended before it took effect: it is now `executing` here."""
    FINISHED = "finished"
    """It has an outcome already."""
    INTERRUPTED = "interrupted"
    """It was executing when a worker died or lost the thread; it may have taken effect."""
    TAKEN = "taken"
    """Another session has used the id; of its command nothing is told."""
    DIFFERENT = "different"
    """The session has used the id for a command that says something else."""
    KNOWN = "known"
    """It is stored, has not begun, and has had no effect."""
    FENCED = "fenced"
    """The session has another epoch now, so another owner: the command is not entered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The inbox's answer."""

    verdict: Verdict
    attempts: int
    outcome: Outcome | None = None
    """The stored outcome when `verdict` is FINISHED."""
    previous_worker: str | None = None
    """Whose run was interrupted when `verdict` is INTERRUPTED."""
    previous_epoch: int | None = None
    """The epoch of the interrupted run; None also if the session had no row known there."""
    received_at: datetime | None = None
    """When it came for the first time, by the database's clock, unless it has an end."""
    found: FoundSend | None = None
    """What a former owner's disk has told of the interrupted run."""


class InboxStore(Protocol):
    """The commands table."""

    async def answers(self) -> bool:
        """Tell soon whether commands can be entered at all. Never raises."""
        ...

    async def enter(
        self, commands: Sequence[Received], *, briefly: bool = False
    ) -> Sequence[Entry]:
        """Enter commands in one transaction, one answer each, in order.

        A command id is global: the first session to use it has it, for the command of the
        fingerprint that it came with. Raises `DependencyError`; the same batch again, or a part of
        it, then counts once. Each run of a command counts as an attempt. If `briefly`, it waits
        hardly for a row that somebody holds.
        """
        ...

    async def look(self, command: Received) -> Entry:
        """Say what is known of a command that is not to be executed now: NEW is nothing.

        INTERRUPTED is one that is executing, perhaps here.

        Raises:
            DependencyError: As it says.
        """
        ...

    async def suspend(
        self,
        command_id: str,
        *,
        session_id: str,
        worker_id: str | None = None,
        epoch: int | None = None,
        stays_interrupted: bool = False,
    ) -> None:
        """Put a command that is `executing` but has had no effect back to `received`.

        Whoever gets it next finds it NEW; its attempts stay counted. To run it, `enter` it again.

        Args:
            command_id: Which.
            session_id: Whose; another session's is left alone.
            worker_id: With `epoch` of the run that ends, as it was entered: a later run is left
                alone. None means any.
            epoch: See `worker_id`; None means any.
            stays_interrupted: It was INTERRUPTED when it was entered, and what became of that run
                is not known yet: whoever gets it next finds it so again.

        Raises:
            DependencyError: It may or may not be suspended; idempotent.
        """
        ...


class CommandTracing(Protocol):
    """Traces commands."""

    def command(
        self, delivery: Delivery, command: Command, *, arrived: float
    ) -> AbstractContextManager[tuple[Command, Stopwatch]]:
        """Trace a command for as long as the context lasts, and have log lines name its trace.

        It continues the trace that the command names, or else the delivery's header; without
        either it begins one.

        Args:
            delivery: The command as it came.
            command: What is in it.
            arrived: When it came, by the monotonic clock.

        Returns:
            The command with what its events are to continue as its `traceparent`, and what takes
            the times of its steps. Its outcome is read from that in the end.
        """
        ...
