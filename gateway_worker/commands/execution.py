"""One command from the inbox to its committed outcome, with the attempts that this may take.

    inbox ──► handler ──► recorder ──► settle
      │ seen before ─────────┘
A command is acknowledged only after its outcome and the event that tells it are committed; a crash
before that brings the command back, and the inbox knows how far it had come. While a command waits
for something, it is not `executing`: a crash meanwhile leaves nothing uncertain.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from gateway_contracts import (
    Command,
    ErrorBody,
    ErrorCode,
    MessageSend,
    OnUncertain,
    SessionCreate,
    SessionLogout,
)
from gateway_worker.commands.handlers import HANDLERS, Context, Effect
from gateway_worker.commands.handlers.messages import sent_effect
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.commands.ports import (
    Delivery,
    Entry,
    Postponer,
    Received,
    Refusal,
    Settlement,
    Verdict,
)
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import (
    ExpiredError,
    GatewayError,
    InvalidCommandError,
    RetryableError,
    SessionNotConnectedError,
    SessionNotFoundError,
    UncertainError,
)
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.retry import Backoff, until_answered
from gateway_worker.sessions.changes import Change, Committed, TransferRefusedError
from gateway_worker.sessions.manager import OwnedElsewhereError
from gateway_worker.sessions.ports import Recorder, SentMessage

log = structlog.get_logger(__name__)

_DEAD = frozenset(
    {
        ErrorCode.INVALID_COMMAND,
        ErrorCode.UNAUTHORIZED,
        ErrorCode.SESSION_NOT_FOUND,
        ErrorCode.EXPIRED,
    }
)
"""Commands that could not be executed as they are: an operator may want to see them."""

_UNKNOWN_SESSION_ATTEMPTS = 3
"""How often a command from the shared queue looks for its session: another worker may just be
creating it."""

Observer = Callable[[str, str, Stopwatch], None]
"""Called with a command's type, its outcome (`succeeded` or an error code) and its times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a command is tried.

    Attributes:
        attempts: How often at most, the first time included.
        initial_seconds: The longest first pause between two attempts.
        maximum_seconds: The longest pause.
    """

    attempts: int = 5
    initial_seconds: float = 0.5
    maximum_seconds: float = 15.0

    def backoff(self) -> Backoff:
        """Return the pauses of one command."""
        return Backoff(initial_seconds=self.initial_seconds, maximum_seconds=self.maximum_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """What is to be committed for a command, and what it is called."""

    name: str
    change: Change
    error: ErrorBody | None = None
    attempts: int = 0
    exhausted: bool = False


class _PostponedError(Exception):
    """The command comes again after a while; it has been put into a delay queue."""


class Executor:
    """Brings commands of this worker's sessions to their outcome.

    Args:
        worker_id: This worker.
        context: What handlers work with.
        inbox: Makes each command happen once.
        recorder: Commits outcomes.
        postponer: Puts commands without an order into the delay queues.
        clock: For deadlines.
        patience: How long to try.
        observe: For metrics.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        context: Context,
        inbox: Inbox,
        recorder: Recorder,
        postponer: Postponer,
        clock: Clock,
        patience: Patience | None = None,
        observe: Observer = lambda _type, _outcome, _times: None,
    ) -> None:
        self._worker_id = worker_id
        self._context = context
        self._manager = context.manager
        self._inbox = inbox
        self._recorder = recorder
        self._postponer = postponer
        self._clock = clock
        self._patience = patience or Patience()
        self._observe = observe
        self._outcomes = Outcomes(worker_id=worker_id)

    async def run(self, delivery: Delivery, command: Command, *, arrived: float) -> bool:
        """Bring a command to its end and settle it; False if another worker owns its session."""
        stopwatch = Stopwatch(arrived=arrived)
        stopwatch.lap("queue")
        try:
            end = await self._bring_about(delivery, command, stopwatch)
        except OwnedElsewhereError:
            return False
        except _PostponedError:
            await delivery.settle(Settlement.ACK)
            return True
        if end is None:
            return False
        try:
            committed = await self._commit(command, end.change, stopwatch)
        except TransferRefusedError as refused:
            end = await self._stay(command, end.change, refused)
            committed = await self._commit(command, end.change, stopwatch)
        if committed.fenced:
            return False
        if committed.transferred and end.change.transfer is not None:
            await self._manager.depart(command.subject, end.change.transfer.to_worker)
        await self._settle(delivery, end)
        self._observe(command.type, end.name, stopwatch)
        log.info("command.settled", outcome=end.name, **stopwatch.fields())
        return True

    async def give_up(self, delivery: Delivery, command: Command, *, arrived: float) -> None:
        """End a command that the gateway itself has failed, so that it does not come for ever."""
        error = GatewayError("the gateway failed; its log has the details").body()
        epoch = self._manager.epoch_of(command.subject)
        change = self._outcomes.failure(command, error, attempts=1, epoch=epoch)
        await self.bury(delivery, command.type, change, error, arrived=arrived)

    async def bury(
        self,
        delivery: Delivery,
        command_type: str,
        end: Change | None,
        error: ErrorBody,
        *,
        arrived: float,
    ) -> None:
        """Announce a command's end if that is possible, and put it to the dead letters."""
        try:
            if end is not None:
                await self._recorder.record(end)
        except Exception:
            log.exception("command.end_not_recorded")
        refusal = Refusal(code=error.code, reason=error.detail or error.code)
        await delivery.settle(Settlement.DEAD, refusal)
        self._observe(command_type, error.code, Stopwatch(arrived=arrived))

    async def _commit(self, command: Command, change: Change, stopwatch: Stopwatch) -> Committed:
        committed = await self._recorder.record(change)
        stopwatch.lap("commit")
        if committed.fenced:  # its new owner decides
            self._manager.fence(command.subject)
        return committed

    async def _bring_about(
        self, delivery: Delivery, command: Command, stopwatch: Stopwatch
    ) -> _End | None:
        """Try until there is an end; None if another worker turns out to own the session."""
        backoff = self._patience.backoff()
        while True:
            entry = await self._enter(command)
            stopwatch.lap("inbox")
            if entry.verdict is Verdict.FENCED:
                self._manager.fence(command.subject)
                return None
            try:
                end = await self._attempt(command, entry, stopwatch)
            except RetryableError as error:
                last = backoff.attempts + 1 >= self._patience.attempts
                if not await self._wait(delivery, command, error, backoff, last=last):
                    end = self._failure(command, error, entry, exhausted=last)
                else:
                    continue
            except SessionNotFoundError as error:
                if await self._session_may_come(delivery, command):
                    raise _PostponedError from error
                end = self._failure(command, error, entry)
            stopwatch.lap("execute")
            return end

    async def _enter(self, command: Command) -> Entry:
        return await self._inbox.enter(self._received(command))

    def _received(self, command: Command) -> Received:
        return Received(
            command_id=command.id,
            session_id=command.subject,
            command_type=command.type,
            worker_id=self._worker_id,
            epoch=self._manager.epoch_of(command.subject),
        )

    async def _attempt(self, command: Command, entry: Entry, stopwatch: Stopwatch) -> _End:
        """Execute a command unless it has an outcome.

        Raises:
            RetryableError: It had no effect, and may have later.
            SessionNotFoundError: As it says.
            OwnedElsewhereError: As it says.
        """
        if entry.verdict is Verdict.TAKEN:
            detail = "another session has used this command id; an id names one command for ever"
            error = InvalidCommandError(detail, pointer="/id").body()
            epoch = self._manager.epoch_of(command.subject)
            change = self._outcomes.denial(command, error, epoch=epoch)
            return _End(name=error.code, change=change, error=error)
        if entry.verdict is Verdict.FINISHED and entry.outcome is not None:
            epoch = self._manager.epoch_of(command.subject)
            change = self._outcomes.repetition(command, entry.outcome, epoch=epoch)
            return _End(name="repeated", change=change)
        try:
            effect = await self._execute(command, entry)
        except (OwnedElsewhereError, RetryableError, SessionNotFoundError):
            raise
        except GatewayError as error:
            return self._failure(command, error, entry)
        except Exception:
            log.exception("command.failed_unexpectedly")
            failed = GatewayError("the gateway failed; its log has the details")
            return self._failure(command, failed, entry)
        stopwatch.note("library", effect.library_seconds)
        change = self._outcomes.success(command, effect, attempts=entry.attempts)
        return _End(name="succeeded", change=change)

    async def _execute(self, command: Command, entry: Entry) -> Effect:
        interrupted = entry.verdict is Verdict.INTERRUPTED
        if interrupted and isinstance(command, MessageSend):
            answered = await self._outcome_of_interrupted(command, entry)
            if answered is not None:
                session = await self._manager.find(command.subject)
                return sent_effect(session, command, answered)
        self._check_deadline(command)
        if isinstance(command, MessageSend | SessionLogout):
            await self._await_link(command)
        context = replace(self._context, interrupted=interrupted)
        handler = HANDLERS[command.type]
        try:
            return await handler(context, command)
        except UncertainError:
            if isinstance(command, MessageSend) and command.data.on_uncertain is OnUncertain.RESEND:
                log.warning("command.resent")
                return await handler(context, command)
            raise

    async def _outcome_of_interrupted(
        self, command: MessageSend, entry: Entry
    ) -> SentMessage | None:
        """Return what the host has noted of a send that was begun; None if it may be sent (again).

        Raises:
            UncertainError: It may have been sent, and the command says that it is not to be again.
        """
        session = await self._manager.find(command.subject)
        sent, known = await session.trace_of(
            command.id, worker_id=entry.previous_worker, epoch=entry.previous_epoch
        )
        if sent is not None or known or command.data.on_uncertain is OnUncertain.RESEND:
            return sent
        raise UncertainError("the worker stopped while it was sending; it may have been sent")

    async def _await_link(self, command: Command) -> None:
        """Wait for a session that is about to connect; not `executing` meanwhile."""
        session = await self._manager.find(command.subject)
        if session.is_connected or not session.is_running:
            return
        await self._suspended(command, session.until_connected())
        self._check_deadline(command)
        entry = await self._enter(command)
        if entry.verdict is Verdict.FENCED:
            self._manager.fence(command.subject)
            raise OwnedElsewhereError("another worker")

    async def _suspended(self, command: Command, waiting: Awaitable[None]) -> None:
        await until_answered(
            lambda: self._inbox.suspend(self._received(command)), name="inbox.suspend"
        )
        await waiting

    async def _wait(
        self,
        delivery: Delivery,
        command: Command,
        error: RetryableError,
        backoff: Backoff,
        *,
        last: bool,
    ) -> bool:
        """Pause before the next attempt; False if there is none."""
        if isinstance(command, SessionCreate):
            return await self._postpone_creation(delivery, command, error)
        if last or not self._may_recover(command, error):
            return False
        seconds = max(backoff.next_seconds(), error.retry_after_seconds or 0.0)
        if command.expirytime is not None:
            left = (command.expirytime - self._clock.now()).total_seconds()
            seconds = max(0.0, min(seconds, left))
        log.info("command.retrying", code=error.code, attempt=backoff.attempts, seconds=seconds)
        await self._suspended(command, asyncio.sleep(seconds))
        return True

    def _may_recover(self, command: Command, error: RetryableError) -> bool:
        """Whether waiting can help: not for a session that somebody has stopped."""
        if not isinstance(error, SessionNotConnectedError):
            return error.code is not ErrorCode.CAPACITY
        return isinstance(command, MessageSend | SessionLogout) and self._manager.is_running(
            command.subject
        )

    async def _postpone_creation(
        self, delivery: Delivery, command: SessionCreate, error: RetryableError
    ) -> bool:
        """Put a creation, which has no order, into a delay queue; False if it was often enough."""
        attempts = delivery.attempts_before + 1
        if attempts >= self._patience.attempts:
            return False
        await self._postpone(
            delivery,
            command,
            seconds=max(error.retry_after_seconds or 0.0, float(2**attempts)),
            attempts=attempts,
        )
        raise _PostponedError

    async def _session_may_come(self, delivery: Delivery, command: Command) -> bool:
        """Postpone a command that came before its session has a worker."""
        attempts = delivery.attempts_before + 1
        if not delivery.unassigned or attempts >= _UNKNOWN_SESSION_ATTEMPTS:
            return False
        await self._postpone(delivery, command, seconds=1.0, attempts=attempts)
        return True

    async def _postpone(
        self, delivery: Delivery, command: Command, *, seconds: float, attempts: int
    ) -> None:
        await self._suspended(command, asyncio.sleep(0))
        await until_answered(
            lambda: self._postponer.retry_later(delivery, seconds=seconds, attempts=attempts),
            name="command.postpone",
        )
        log.info("command.postponed", attempts=attempts, seconds=seconds)

    async def _stay(self, command: Command, change: Change, refused: TransferRefusedError) -> _End:
        """End a move that came to nothing: the session goes on here."""
        await self._manager.stay(command.subject)
        outcome = change.outcome
        return self._failure(
            command,
            refused,
            Entry(verdict=Verdict.NEW, attempts=outcome.attempts if outcome else 1),
        )

    def _failure(
        self, command: Command, error: GatewayError, entry: Entry, *, exhausted: bool = False
    ) -> _End:
        body = error.body()
        change = self._outcomes.failure(
            command, body, attempts=entry.attempts, epoch=self._manager.epoch_of(command.subject)
        )
        return _End(
            name=body.code,
            change=change,
            error=body,
            attempts=entry.attempts,
            exhausted=exhausted,
        )

    def _check_deadline(self, command: Command) -> None:
        if command.expirytime is not None and command.expirytime <= self._clock.now():
            raise ExpiredError("its deadline had passed before it was executed")

    @staticmethod
    async def _settle(delivery: Delivery, end: _End) -> None:
        error = end.error
        if error is not None and (error.code in _DEAD or end.exhausted):
            refusal = Refusal(
                code=error.code, reason=error.detail or error.title, attempts=end.attempts
            )
            await delivery.settle(Settlement.DEAD, refusal)
        else:
            await delivery.settle(Settlement.ACK)
