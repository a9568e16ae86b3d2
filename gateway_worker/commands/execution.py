"""One command from the inbox to its committed outcome, with the attempts that this may take.

    inbox ──► handler ──► recorder ──► settle
      │ seen before ─────────┘
A command is acknowledged only after its outcome and the event that tells it are committed; a crash
before that brings the command back, and the inbox knows how far it had come. While a command waits
for something, it is not `executing`: a crash meanwhile leaves nothing uncertain.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from gateway_contracts import (
    Command,
    ErrorBody,
    ErrorCode,
)
from gateway_worker.commands.attempts import Aside, Attempts, PostponedError
from gateway_worker.commands.handlers import HANDLERS, Context, Effect, Needs, Once
from gateway_worker.commands.outcomes import Outcomes, warned
from gateway_worker.commands.ports import (
    Delivery,
    Entry,
    Refusal,
    Settlement,
    Verdict,
)
from gateway_worker.commands.scheduler import WithdrawnError
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.commands.stranded import StrandedCommands
from gateway_worker.errors import (
    DatabaseUnavailableError,
    DependencyError,
    GatewayError,
    InvalidCommandError,
    PermanentError,
    RetryableError,
    SessionNotConnectedError,
    SessionNotFoundError,
    UncertainError,
)
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.changes import Change, Committed, TransferRefusedError
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError
from gateway_worker.sessions.ports import Recorder, SessionRow
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

_DEAD = frozenset(
    {
        ErrorCode.INVALID_COMMAND,
        ErrorCode.SESSION_NOT_FOUND,
        ErrorCode.EXPIRED,
    }
)
"""Commands that could not be executed as they are: an operator may want to see them."""

Observer = Callable[[str, str, Stopwatch], None]
"""Called with a command's type, its outcome (`succeeded` or an error code) and its times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """What is to be committed for a command, and what it is called."""

    name: str
    change: Change
    error: ErrorBody | None = None
    attempts: int = 0
    exhausted: bool = False


class _WaitedError(Exception):
    """A command has waited for its session; it is to be entered again."""


_CONFLICTS = {
    Verdict.TAKEN: "another session has used this command id; an id names one command for ever",
    Verdict.DIFFERENT: "this command id was used before, with another content; that command's "
    "outcome stands. An id names one command for ever: a new command needs a new one",
}
"""Why a command is not accepted whose id belongs to another one."""

_PASSED_ON = (
    OwnedElsewhereError,
    RetryableError,
    SessionNotFoundError,
    WithdrawnError,
    _WaitedError,
)
"""What an attempt may raise that is not yet the command's end."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a command's attempts have in common.

    Attributes:
        arrived: When it came, by the monotonic clock.
        turn: Lets others of its session run while it waits.
        has_waited: Whether it has waited for its session.
        began: When its first attempt did, by the same clock.
    """

    arrived: float
    turn: Aside
    has_waited: bool = False
    began: float = field(default_factory=time.monotonic)


class Executor:
    """Brings commands of this worker's sessions to their outcome.

    Args:
        worker_id: This worker.
        context: What handlers work with.
        attempts: Enters each attempt, and waits between them.
        recorder: Commits outcomes.
        observe: For metrics.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        context: Context,
        attempts: Attempts,
        recorder: Recorder,
        observe: Observer = lambda _type, _outcome, _times: None,
    ) -> None:
        self._context = context
        self._manager = context.manager
        self._attempts = attempts
        self._recorder = recorder
        self._observe = observe
        self._outcomes = Outcomes(worker_id=worker_id)
        self._stranded = StrandedCommands(worker_id=worker_id, manager=context.manager)

    def seconds_left(self, command: Command) -> float | None:
        """Return how long it is until the command's deadline; None if it has none."""
        return self._attempts.seconds_left(command)

    async def run(
        self, delivery: Delivery, command: Command, *, arrived: float, turn: Aside | None = None
    ) -> bool:
        """Bring a command to its end and settle it; False if another worker owns its session.

        Args:
            delivery: The command as it came.
            command: What is in it.
            arrived: When it came, by the monotonic clock.
            turn: Lets others of its session run while it waits.
        """
        stopwatch = Stopwatch(arrived=arrived)
        stopwatch.lap("queue")
        try:
            run = _Run(arrived=arrived, turn=turn or _Alone())
            end = await self._bring_about(delivery, command, stopwatch, run)
        except OwnedElsewhereError:
            return False
        except PostponedError:
            await delivery.settle(Settlement.ACK)
            return True
        if end is None:
            return False
        try:
            committed = await self._commit(
                command, warned(end.change, delivery, command), stopwatch
            )
        except TransferRefusedError as refused:
            end = await self._stay(command, end.change, refused)
            committed = await self._commit(
                command, warned(end.change, delivery, command), stopwatch
            )
        if committed.fenced:
            return False
        if committed.transferred and end.change.transfer is not None:
            await self._manager.departures.depart(command.subject, end.change.transfer.to_worker)
        await self._settle(delivery, end)
        self._observe(command.type, end.name, stopwatch)
        log.info("command.settled", outcome=end.name, **stopwatch.fields())
        return True

    async def run_stranded(
        self, delivery: Delivery, command: Command, row: SessionRow, *, arrived: float
    ) -> bool:
        """End a command of a session that nobody can run; False if somebody has it by now."""
        stopwatch = Stopwatch(arrived=arrived)
        entry = await self._attempts.enter(command, epoch=row.epoch)
        if entry.verdict is Verdict.FENCED:
            return False
        end = self._answer_of(command, entry, row.epoch)
        if end is None:
            end = await self._end_stranded(command, entry, row)
        if (await self._recorder.record(warned(end.change, delivery, command))).fenced:
            return False
        await self._settle(delivery, end)
        self._observe(command.type, end.name, stopwatch)
        log.warning("command.settled_for_stranded", outcome=end.name)
        return True

    async def _end_stranded(self, command: Command, entry: Entry, row: SessionRow) -> _End:
        try:
            if entry.verdict is Verdict.INTERRUPTED and HANDLERS[command.type].once:
                raise UncertainError("the worker that was sending it is gone, with its notes")
            self._attempts.check_deadline(command)
            effect = await self._stranded.effect_of(command, row)
        except DatabaseUnavailableError:
            raise  # it waits
        except DependencyError as error:
            return self._failure(command, error, entry, epoch=row.epoch, exhausted=True)
        except GatewayError as error:
            return self._failure(command, error, entry, epoch=row.epoch)
        change = self._outcomes.success_of(command, effect, row.epoch, attempts=entry.attempts)
        return _End(name="succeeded", change=change)

    async def give_up(self, delivery: Delivery, command: Command, *, arrived: float) -> None:
        """End a command that the gateway itself has failed, so that it does not come for ever."""
        error = GatewayError("the gateway failed; its log has the details").body()
        epoch = self._manager.registry.epoch_of(command.subject)
        change = self._outcomes.failure(command, error, attempts=1, epoch=epoch)
        await self.bury(delivery, command.type, change, error, arrived=arrived)

    async def fail(
        self, delivery: Delivery, command: Command, error: GatewayError, *, arrived: float
    ) -> None:
        """End a command that is not to be executed, unless it has an outcome already."""
        stopwatch = Stopwatch(arrived=arrived)
        entry = await self._attempts.enter(command)
        epoch = self._manager.registry.epoch_of(command.subject)
        end = self._answer_of(command, entry, epoch)
        end = end or self._failure(command, error, entry, exhausted=True)
        await self._commit(command, warned(end.change, delivery, command), stopwatch)
        await self._settle(delivery, end)
        self._observe(command.type, end.name, stopwatch)
        log.info("command.settled", outcome=end.name, **stopwatch.fields())

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
        except Exception:  # whatever it was, the dead letter below still tells of the command
            log.exception("command.end_not_recorded")
        refusal = Refusal(
            code=error.code, reason=error.detail or error.code, errors=tuple(error.errors)
        )
        await delivery.settle(Settlement.DEAD, refusal)
        self._observe(command_type, error.code, Stopwatch(arrived=arrived))

    async def _commit(self, command: Command, change: Change, stopwatch: Stopwatch) -> Committed:
        try:
            committed = await self._recorder.record(change)
        except PermanentError:
            if change.message is None:
                raise
            # It is sent: that the history cannot hold it must not make it a failure.
            log.exception("command.message_not_stored")
            committed = await self._recorder.record(replace(change, message=None))
        stopwatch.lap("commit")
        if committed.fenced and change.epoch is not None:  # its new owner decides
            self._manager.registry.fence(command.subject, change.epoch)
        return committed

    async def _bring_about(
        self,
        delivery: Delivery,
        command: Command,
        stopwatch: Stopwatch,
        run: _Run,
    ) -> _End | None:
        """Try until there is an end; None if another worker turns out to own the session."""
        backoff = self._attempts.retry_policy.backoff()
        first_epoch = self._manager.registry.epoch_of(command.subject)
        outage = Backoff(initial_seconds=0.2, maximum_seconds=5.0)
        while True:
            epoch = self._manager.registry.epoch_of(command.subject)
            if epoch != first_epoch:
                return None  # it has gone while the command waited: not to be entered as ours
            entry = await self._attempts.enter(command)
            stopwatch.lap("inbox")
            if entry.verdict is Verdict.FENCED:
                self._manager.registry.fence(command.subject, epoch)
                return None
            try:
                end = await self._attempt(command, entry, stopwatch, run)
            except _WaitedError:
                continue
            except DatabaseUnavailableError as error:
                await self._attempts.await_database(command, error, outage, run.turn)
                continue
            except RetryableError as error:
                last = self._is_last(command, error, backoff, run)
                if not await self._attempts.again(
                    delivery, command, error, backoff, run.turn, last=last
                ):
                    exhausted = self._attempts.is_exhausted(command, error, last=last)
                    end = self._failure(command, error, entry, exhausted=exhausted)
                else:
                    continue
            except SessionNotFoundError as error:
                if await self._attempts.session_may_come(delivery, command):
                    raise PostponedError from error
                end = self._failure(command, error, entry)
            stopwatch.lap("execute")
            return end

    def _is_last(
        self, command: Command, error: RetryableError, backoff: Backoff, run: _Run
    ) -> bool:
        """Whether a command has been tried often, or for a connection long enough."""
        if isinstance(error, SessionNotConnectedError):
            return self._manager.registry.seconds_to_connect(command.subject, run.arrived) <= 0
        seconds = time.monotonic() - run.began
        return self._attempts.retry_policy.is_over(
            error, attempts=backoff.attempts + 1, seconds=seconds
        )

    async def _attempt(
        self, command: Command, entry: Entry, stopwatch: Stopwatch, run: _Run
    ) -> _End:
        """Execute a command unless it has an outcome.

        Raises:
            RetryableError: It had no effect, and may have later.
            SessionNotFoundError: As it says.
            OwnedElsewhereError: As it says.
            _WaitedError: As it says.
        """
        epoch = self._manager.registry.epoch_of(command.subject)
        if (answer := self._answer_of(command, entry, epoch)) is not None:
            return answer
        try:
            effect = await self._execute(command, entry, run)
        except _PASSED_ON:
            raise
        except GatewayError as error:
            return self._failure(command, error, entry)
        except Exception:  # a fault of ours is the command's end, too
            log.exception("command.failed_unexpectedly")
            failed = GatewayError("the gateway failed; its log has the details")
            return self._failure(command, failed, entry)
        stopwatch.note("library", effect.library_seconds)
        change = self._outcomes.success(command, effect, attempts=entry.attempts)
        return _End(name="succeeded", change=change)

    def _answer_of(self, command: Command, entry: Entry, epoch: int | None) -> _End | None:
        """Return what the inbox alone says of a command; None if it is to be executed."""
        if entry.verdict in _CONFLICTS:
            error = InvalidCommandError(_CONFLICTS[entry.verdict], pointer="/id").body()
            change = self._outcomes.denial(command, error, epoch=epoch)
            return _End(name=error.code, change=change, error=error)
        if entry.verdict is Verdict.FINISHED and entry.outcome is not None:
            change = self._outcomes.repetition(command, entry.outcome, epoch=epoch)
            return _End(name="repeated", change=change)
        return None

    async def _execute(self, command: Command, entry: Entry, run: _Run) -> Effect:
        interrupted = entry.verdict is Verdict.INTERRUPTED
        handler = HANDLERS[command.type]
        once = handler.once
        if interrupted and once is not None:
            effect = await self._effect_of_interrupted(command, entry, once)
            if effect is not None:
                return effect
        self._attempts.check_deadline(command)
        await self._await_session(command, run)
        context = replace(self._context, interrupted=interrupted)
        try:
            return await handler.run(context, command)
        except UncertainError:
            if once is not None and once.may_repeat(command):
                log.warning("command.resent")
                return await handler.run(context, command)
            raise

    async def _effect_of_interrupted(
        self, command: Command, entry: Entry, once: Once
    ) -> Effect | None:
        """Return what an interrupted run has brought about; None if it may be run (again).

        Raises:
            UncertainError: It may have had its effect, and must not have it twice.
        """
        session = await self._manager.find(command.subject)
        result, known = await session.trace_of(
            command.id,
            worker_id=entry.previous_worker,
            epoch=entry.previous_epoch,
            began=entry.received_at,
        )
        if result is not None:
            return await once.effect_of(self._context, session, command, result)
        if known or once.may_repeat(command):
            return None
        raise UncertainError("the worker stopped while it was sending; it may have been sent")

    @staticmethod
    def _is_worth_waiting(needs: Needs, session: Session, run: _Run) -> float:
        """Return for how many seconds a command may wait for its session before it is executed."""
        if needs is Needs.QR:
            may_come = session.is_about_to_show_qr and not run.has_waited
            return session.qr_wait_seconds if may_come else 0.0
        return 0.0 if session.is_connected else session.seconds_to_connect(run.arrived)

    async def _await_session(self, command: Command, run: _Run) -> None:
        """Wait for a session that is about to connect, or to show a code.

        Raises:
            _WaitedError: It has waited, and others of its session may have run: it begins anew.
        """
        needs = HANDLERS[command.type].needs
        if needs is Needs.NOTHING:
            return
        session = await self._manager.find(command.subject)
        seconds = self._is_worth_waiting(needs, session, run)
        if seconds <= 0:
            return
        waiting = session.until_qr() if needs is Needs.QR else session.until_connected()
        await self._attempts.suspended(command, waiting, run.turn, seconds=seconds, yields=True)
        run.has_waited = True
        raise _WaitedError

    async def _stay(self, command: Command, change: Change, refused: TransferRefusedError) -> _End:
        """End a move that came to nothing: the session goes on here."""
        await self._manager.departures.stay(command.subject)
        outcome = change.outcome
        return self._failure(
            command,
            refused,
            Entry(verdict=Verdict.NEW, attempts=outcome.attempts if outcome else 1),
        )

    def _failure(
        self,
        command: Command,
        error: GatewayError,
        entry: Entry,
        *,
        exhausted: bool = False,
        epoch: int | None = None,
    ) -> _End:
        body = error.body()
        if epoch is None:
            epoch = self._manager.registry.epoch_of(command.subject)
        change = self._outcomes.failure(command, body, attempts=entry.attempts, epoch=epoch)
        return _End(
            name=body.code,
            change=change,
            error=body,
            attempts=entry.attempts,
            exhausted=exhausted,
        )

    @staticmethod
    async def _settle(delivery: Delivery, end: _End) -> None:
        error = end.error
        if error is not None and (error.code in _DEAD or end.exhausted):
            refusal = Refusal(
                code=error.code,
                reason=error.detail or error.title,
                attempts=end.attempts,
                errors=tuple(error.errors),
            )
            await delivery.settle(Settlement.DEAD, refusal)
        else:
            await delivery.settle(Settlement.ACK)


class _Alone:
    """A turn of which nobody waits for the end."""

    async def aside(
        self,
        waiting: Awaitable[object],
        *,
        seconds: float | None = None,
        yields: bool = False,  # noqa: ARG002 - the port's
    ) -> None:
        """Wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waiting
