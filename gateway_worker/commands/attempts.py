"""The attempts of a command: entered one by one, with pauses in which nothing is under way.

A command of a session is tried again in its mailbox, so that nothing overtakes it. One that has no
order, because its session does not exist yet, waits in a delay queue of the broker instead.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from gateway_contracts import Command, ErrorCode
from gateway_worker.commands.fingerprint import fingerprint
from gateway_worker.commands.handlers import HANDLERS, Needs, Retry
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.lanes import Passing
from gateway_worker.commands.pacing.pace import PacedError
from gateway_worker.commands.ports import Delivery, Entry, Postponer, Received, Verdict
from gateway_worker.errors import (
    DatabaseUnavailableError,
    DependencyError,
    ExpiredError,
    RateLimitedError,
    ReachoutRestrictedError,
    RetryableError,
    SessionNotConnectedError,
)
from gateway_worker.runtime.bounds import shortest
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.retry import Backoff, until_answered
from gateway_worker.sessions.ownership.manager import SessionManager

log = structlog.get_logger(__name__)

_UNKNOWN_SESSION_ATTEMPTS = 3
"""How often a command from the shared queue looks for its session: another worker may just be
creating it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long a command is tried.

    Attributes:
        attempts: How often at most, the first time included; the outage of a service that the
            worker needs is no fault of the command and counts by its time only, unless the error
            says that it may well be one.
        initial_seconds: The longest first pause between two attempts.
        maximum_seconds: The longest pause.
        total_seconds: After that long no attempt begins any more, for what comes after it waits
            too; but for one that waits for its session's connection, which has a bound of its own.
        hold_seconds: A longer pause that WhatsApp demands is the backend's to make: meanwhile what
            comes after it may go.
    """

    attempts: int = 5
    initial_seconds: float = 0.5
    maximum_seconds: float = 15.0
    total_seconds: float = 30.0
    hold_seconds: float = 5.0

    def is_over(self, error: RetryableError, *, attempts: int, seconds: float) -> bool:
        """Whether a command that has failed so often in so long is not tried again."""
        is_of_service = isinstance(error, DependencyError) and error.attempts is None
        most = min(self.attempts, error.attempts or self.attempts)
        is_often = attempts >= most and not is_of_service
        return is_often or seconds >= self.total_seconds

    def backoff(self) -> Backoff:
        """Return the pauses of one command."""
        return Backoff(initial_seconds=self.initial_seconds, maximum_seconds=self.maximum_seconds)


class Aside(Protocol):
    """Lets others of the session run while a command waits (the scheduler's `Turn`)."""

    async def aside(
        self,
        waiting: Awaitable[object],
        *,
        seconds: float | None = None,
        passing: Passing = Passing.NOBODY,
    ) -> None:
        """Wait for something, or for so long, and return when it is this command's turn again."""
        ...

    def conclude(self) -> None:
        """Note that the command has had its effect, and only its end is to be written."""
        ...


class PostponedError(Exception):
    """The command comes again after a while; it has been put into a delay queue."""


class Attempts:
    """Enters attempts into the inbox and waits between them.

    Args:
        worker_id: This worker.
        manager: Its sessions.
        inbox: Makes each command happen once.
        postponer: Puts commands without an order into the delay queues.
        clock: For deadlines.
        retry_policy: How long to try.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        manager: SessionManager,
        inbox: Inbox,
        postponer: Postponer,
        clock: Clock,
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        self._worker_id = worker_id
        self._manager = manager
        self._inbox = inbox
        self._postponer = postponer
        self._clock = clock
        self._untraced: set[tuple[str, str]] = set()
        self.retry_policy = retry_policy or RetryPolicy()

    async def enter(self, command: Command, *, epoch: int | None = None) -> Entry:
        """Enter an attempt under the session's present epoch here, or that of another owner."""
        received = self._received(command)
        if epoch is not None:
            received = replace(received, epoch=epoch)
        entry = await self._inbox.enter(received)
        if entry.verdict is Verdict.INTERRUPTED and HANDLERS[command.type].once is not None:
            self._untraced.add(_key(command))
        return entry

    def traced(self, command: Command) -> None:
        """Note that it is known what an interrupted run has brought about, or nobody's to ask."""
        self._untraced.discard(_key(command))

    def is_untraced(self, command: Command) -> bool:
        """Whether an interrupted run may have had an effect that nobody has found out about."""
        return _key(command) in self._untraced

    async def look(self, command: Command) -> Entry:
        """Say what is known of a command that is not to be executed now. Waits for the database."""
        received = self._received(command)
        return await until_answered(lambda: self._inbox.look(received), name="inbox.look")

    def _received(self, command: Command) -> Received:
        return Received(
            command_id=command.id,
            session_id=command.subject,
            command_type=command.type,
            worker_id=self._worker_id,
            epoch=self._manager.registry.epoch_of(command.subject),
            fingerprint=fingerprint(command),
            client_ref=_client_ref(command),
        )

    async def suspended(
        self,
        command: Command,
        waiting: Awaitable[None],
        turn: Aside,
        *,
        seconds: float | None = None,
        passing: Passing = Passing.NOBODY,
    ) -> None:
        """Wait for something; the command is not `executing` meanwhile.

        The wait ends with the command's deadline, or after so many seconds.
        """
        work = asyncio.ensure_future(waiting)
        try:
            await self.put_back(command)
            until = shortest(self.seconds_left(command), seconds)
            bounded = None if until is None else max(0.0, until)
            await turn.aside(work, seconds=bounded, passing=passing)
        finally:
            work.cancel()

    async def put_back(self, command: Command) -> None:
        """Note that a command is not under way; it is entered again some day.

        One whose interrupted run is not traced stays interrupted: it may have had its effect.
        """
        received, is_untraced = self._received(command), self.is_untraced(command)
        await until_answered(
            lambda: self._inbox.suspend(received, stays_interrupted=is_untraced),
            name="inbox.suspend",
        )

    async def await_database(
        self, command: Command, error: DatabaseUnavailableError, backoff: Backoff, turn: Aside
    ) -> None:
        """Pause until the database may be asked again, which is no attempt of the command's.

        Nothing else of the session could be brought to its end meanwhile either.
        """
        log.warning("command.awaits_database", reason=str(error))
        await self.suspended(command, asyncio.sleep(backoff.next_seconds()), turn)

    async def again(
        self,
        delivery: Delivery,
        command: Command,
        error: RetryableError,
        backoff: Backoff,
        turn: Aside,
        *,
        last: bool,
        passing: Passing = Passing.NOBODY,
    ) -> bool:
        """Pause before the next attempt, and let pass who may; False if there is none.

        Raises:
            PostponedError: It comes again through the broker.
        """
        if HANDLERS[command.type].retry is Retry.IN_BROKER:
            return await self._postpone_in_broker(delivery, command, error)
        if last or not self.may_recover(command, error):
            return False
        seconds = max(backoff.next_seconds(), error.retry_after_seconds or 0.0)
        log.info(
            "command.retrying", error_code=error.code, attempt=backoff.attempts, seconds=seconds
        )
        await self.suspended(command, asyncio.sleep(seconds), turn, passing=passing)
        return True

    def may_recover(self, command: Command, error: RetryableError) -> bool:
        """Whether waiting here can help: not for a session that is not about to connect."""
        if isinstance(error, PacedError):
            return False  # it would come too late
        if isinstance(error, RateLimitedError):
            return (error.retry_after_seconds or 0.0) <= self.retry_policy.hold_seconds
        if isinstance(error, ReachoutRestrictedError):
            return False  # each attempt counts against the account
        if not isinstance(error, SessionNotConnectedError):
            return error.code is not ErrorCode.CAPACITY
        is_of_connection = HANDLERS[command.type].needs is Needs.CONNECTION
        return is_of_connection and self._manager.registry.is_connecting(command.subject)

    def is_exhausted(self, command: Command, error: RetryableError, *, last: bool) -> bool:
        """Whether a command that is not tried again was tried as often as it may be."""
        # What waits in the broker counts its attempts by its turns there.
        is_in_broker = HANDLERS[command.type].retry is Retry.IN_BROKER
        return is_in_broker or (last and self.may_recover(command, error))

    async def _postpone_in_broker(
        self, delivery: Delivery, command: Command, error: RetryableError
    ) -> bool:
        """Put a command that has no order into a delay queue; False if it was often enough."""
        attempts = delivery.attempts_before + 1
        if attempts >= self.retry_policy.attempts:
            return False
        await self._postpone(
            delivery,
            command,
            seconds=max(error.retry_after_seconds or 0.0, float(2**attempts)),
            attempts=attempts,
        )
        raise PostponedError

    async def session_may_come(self, delivery: Delivery, command: Command) -> bool:
        """Postpone a command that came before its session has a worker."""
        attempts = delivery.attempts_before + 1
        if not delivery.unassigned or attempts >= _UNKNOWN_SESSION_ATTEMPTS:
            return False
        await self._postpone(delivery, command, seconds=1.0, attempts=attempts)
        return True

    async def _postpone(
        self, delivery: Delivery, command: Command, *, seconds: float, attempts: int
    ) -> None:
        await self.put_back(command)
        await until_answered(
            lambda: self._postponer.retry_later(
                delivery, seconds=seconds, attempts=attempts, within=self.seconds_left(command)
            ),
            name="command.postpone",
        )
        log.info("command.postponed", attempts=attempts, seconds=seconds)

    def seconds_left(self, command: Command) -> float | None:
        """Return how long it is until the command's deadline; None if it has none."""
        if command.expirytime is None:
            return None
        return (command.expirytime - self._clock.now()).total_seconds()

    def check_deadline(self, command: Command) -> None:
        """Raise `ExpiredError` if the command's deadline has passed."""
        left = self.seconds_left(command)
        if left is not None and left <= 0:
            raise ExpiredError("its deadline had passed before it was executed")


def _key(command: Command) -> tuple[str, str]:
    """Return what a command is told by: sessions of other tenants may have used its id, too."""
    return command.subject, command.id


def _client_ref(command: Command) -> str | None:
    """Return what a command calls the message that it sends; a question may name others' names."""
    if HANDLERS[command.type].look is not None:
        return None
    found: str | None = getattr(command.data, "client_ref", None)
    return found
