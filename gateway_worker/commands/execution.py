"""One command from the inbox to its committed outcome, with the attempts that this may take.

    inbox ──► handler ──► recorder ──► settle
      │ seen before ─────────┘
A command is acknowledged only after its outcome and the event that tells it are committed; a crash
before that brings the command back, and the inbox knows how far it had come. While a command waits
for something, it is not `executing`: a crash meanwhile leaves nothing uncertain.
"""

from collections.abc import Callable
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
from gateway_worker.commands.attempts import Attempts, PostponedError
from gateway_worker.commands.handlers import HANDLERS, Context, Effect
from gateway_worker.commands.handlers.messages import sent_effect
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.commands.ports import (
    Delivery,
    Entry,
    Refusal,
    Settlement,
    Verdict,
)
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    RetryableError,
    SessionNotFoundError,
    UncertainError,
)
from gateway_worker.sessions.changes import Change, Committed, TransferRefusedError
from gateway_worker.sessions.hosting import SentMessage
from gateway_worker.sessions.manager import OwnedElsewhereError
from gateway_worker.sessions.ports import Recorder

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

    async def run(self, delivery: Delivery, command: Command, *, arrived: float) -> bool:
        """Bring a command to its end and settle it; False if another worker owns its session."""
        stopwatch = Stopwatch(arrived=arrived)
        stopwatch.lap("queue")
        try:
            end = await self._bring_about(delivery, command, stopwatch)
        except OwnedElsewhereError:
            return False
        except PostponedError:
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
        except Exception:  # whatever it was, the dead letter below still tells of the command
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
        backoff = self._attempts.patience.backoff()
        while True:
            entry = await self._attempts.enter(command)
            stopwatch.lap("inbox")
            if entry.verdict is Verdict.FENCED:
                self._manager.fence(command.subject)
                return None
            try:
                end = await self._attempt(command, entry, stopwatch)
            except RetryableError as error:
                last = backoff.attempts + 1 >= self._attempts.patience.attempts
                if not await self._attempts.again(delivery, command, error, backoff, last=last):
                    # A creation counts its attempts by its turns in the broker.
                    exhausted = last or isinstance(command, SessionCreate)
                    end = self._failure(command, error, entry, exhausted=exhausted)
                else:
                    continue
            except SessionNotFoundError as error:
                if await self._attempts.session_may_come(delivery, command):
                    raise PostponedError from error
                end = self._failure(command, error, entry)
            stopwatch.lap("execute")
            return end

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
        except Exception:  # a fault of ours is the command's end, too
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
        self._attempts.check_deadline(command)
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
            command.id,
            worker_id=entry.previous_worker,
            epoch=entry.previous_epoch,
            began=entry.received_at,
        )
        if sent is not None or known or command.data.on_uncertain is OnUncertain.RESEND:
            return sent
        raise UncertainError("the worker stopped while it was sending; it may have been sent")

    async def _await_link(self, command: Command) -> None:
        """Wait for a session that is about to connect; not `executing` meanwhile."""
        session = await self._manager.find(command.subject)
        if session.is_connected or not session.is_running:
            return
        await self._attempts.suspended(command, session.until_connected())
        self._attempts.check_deadline(command)
        entry = await self._attempts.enter(command)
        if entry.verdict is Verdict.FENCED:
            self._manager.fence(command.subject)
            raise OwnedElsewhereError("another worker")

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
