"""From delivery to settlement: parse, order, enter, execute, commit the outcome, acknowledge.

    accept ──► mailbox of the session ──► inbox ──► handler ──► recorder ──► settle
                                            │ seen before ────────────┘
A command is acknowledged only after its outcome and the event that tells it are committed; a crash
before that brings the command back, and the inbox knows how far it had come.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from gateway_contracts import (
    Command,
    CommandFailed,
    CommandFailedData,
    CommandRejectedError,
    CommandSucceeded,
    CommandSucceededData,
    ErrorBody,
    ErrorCode,
    MessageSend,
    OnUncertain,
    SessionEvent,
    parse_command,
)
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handlers import HANDLERS, Context, Effect
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.ports import Delivery, Received, Refusal, Settlement, Verdict
from gateway_worker.errors import ExpiredError, GatewayError, UncertainError
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.mailbox import Mailboxes
from gateway_worker.sessions.changes import Change, Outcome
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

Observer = Callable[[str, str, float], None]
"""Called with a command's type, its outcome (`succeeded` or an error code) and its seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A delivery with the command in it, or with the reason why there is none."""

    delivery: Delivery
    command: Command | CommandRejectedError
    arrived: float


class Dispatcher:
    """Takes commands from the consumer and brings each to its one outcome.

    Args:
        worker_id: This worker.
        context: What handlers work with.
        inbox: Makes each command happen once.
        recorder: Commits outcomes.
        forwarder: Sends on what another worker owns.
        clock: For deadlines.
        observe: For metrics.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        context: Context,
        inbox: Inbox,
        recorder: Recorder,
        forwarder: Forwarder,
        clock: Clock,
        observe: Observer = lambda _type, _outcome, _seconds: None,
    ) -> None:
        self._worker_id = worker_id
        self._source = f"/workers/{worker_id}"
        self._context = context
        self._inbox = inbox
        self._recorder = recorder
        self._forwarder = forwarder
        self._clock = clock
        self._observe = observe
        self._mailboxes: Mailboxes[Work] = Mailboxes(handle=self._handle, name="commands")

    @property
    def waiting(self) -> int:
        """Commands that wait in mailboxes."""
        return self._mailboxes.waiting

    def accept(self, delivery: Delivery) -> None:
        """Queue a delivery behind the others of its session."""
        command: Command | CommandRejectedError
        try:
            parsed = parse_command(delivery.body)
        except CommandRejectedError as rejected:
            command, key = rejected, rejected.session_id or "unreadable"
        else:
            command, key = parsed, parsed.subject
        work = Work(delivery=delivery, command=command, arrived=time.monotonic())
        self._mailboxes.post(key, work)

    async def give_back(self) -> None:
        """Give back what has not begun; call it when no more commands come in."""
        for work in self._mailboxes.withdraw():
            await work.delivery.settle(Settlement.REQUEUE)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and what has begun is finished."""
        try:
            await stop.wait()
            await self._mailboxes.join()
        finally:
            await self._mailboxes.cancel()

    async def _handle(self, session_id: str, work: Work) -> None:
        if isinstance(work.command, CommandRejectedError):
            await self._refuse(work.delivery, work.command)
            return
        command = work.command
        with structlog.contextvars.bound_contextvars(
            session_id=session_id, command_id=command.id, command_type=command.type
        ):
            outcome = await self._bring_about(work, command)
            seconds = time.monotonic() - work.arrived
            if outcome is not None:
                self._observe(command.type, outcome, seconds)
                log.info("command.settled", outcome=outcome, duration_seconds=round(seconds, 4))

    async def _bring_about(self, work: Work, command: Command) -> str | None:
        """Execute a command and settle its delivery; returns the outcome's name for the metrics."""
        entry = await self._inbox.enter(
            Received(
                command_id=command.id,
                session_id=command.subject,
                command_type=command.type,
                worker_id=self._worker_id,
            )
        )
        if entry.verdict is Verdict.FINISHED and entry.outcome is not None:
            change = self._repetition(command, entry.outcome)
            name = "repeated"
        else:
            try:
                effect = await self._execute(
                    command, interrupted=entry.verdict is Verdict.INTERRUPTED
                )
                change, name = self._success(command, effect, entry.attempts), "succeeded"
            except OwnedElsewhereError as elsewhere:
                await self._forwarder.forward(work.delivery, command, elsewhere.worker_id)
                return None
            except GatewayError as error:
                change, name = self._failure(command, error.body(), entry.attempts), error.code
            except Exception:
                log.exception("command.failed_unexpectedly")
                body = GatewayError("the gateway failed; its log has the details").body()
                change, name = self._failure(command, body, entry.attempts), body.code
        committed = await self._recorder.record(change)
        if committed.fenced:
            await work.delivery.settle(Settlement.REQUEUE)
            return None
        await self._settle(work.delivery, change.outcome)
        return str(name)

    @staticmethod
    async def _settle(delivery: Delivery, outcome: Outcome | None) -> None:
        error = outcome.error if outcome else None
        if error is not None and error.code in _DEAD:
            refusal = Refusal(code=error.code, reason=error.detail or error.title)
            await delivery.settle(Settlement.DEAD, refusal)
        else:
            await delivery.settle(Settlement.ACK)

    async def _execute(self, command: Command, *, interrupted: bool) -> Effect:
        if command.expirytime is not None and command.expirytime <= self._clock.now():
            raise ExpiredError("its deadline had passed before it was executed")
        if (
            interrupted
            and isinstance(command, MessageSend)
            and command.data.on_uncertain is OnUncertain.FAIL
        ):
            raise UncertainError("the worker stopped while it was sending; it may have been sent")
        context = replace(self._context, interrupted=interrupted)
        return await HANDLERS[command.type](context, command)

    def _success(self, command: Command, effect: Effect, attempts: int) -> Change:
        outcome = Outcome(
            command_id=command.id,
            command_type=command.type,
            result=effect.result,
            attempts=attempts,
        )
        return Change(
            session_id=command.subject,
            epoch=effect.session.epoch,
            events=(self._outcome_event(command, outcome),),
            outcome=outcome,
            message=effect.message,
            delete=effect.delete,
        )

    def _failure(self, command: Command, error: ErrorBody, attempts: int) -> Change:
        outcome = Outcome(
            command_id=command.id, command_type=command.type, error=error, attempts=attempts
        )
        return Change(
            session_id=command.subject,
            epoch=self._epoch_of(command.subject),
            events=(self._outcome_event(command, outcome),),
            outcome=outcome,
        )

    def _repetition(self, command: Command, outcome: Outcome) -> Change:
        return Change(
            session_id=command.subject,
            epoch=self._epoch_of(command.subject),
            events=(self._outcome_event(command, outcome, repeated=True),),
        )

    def _epoch_of(self, session_id: str) -> int | None:
        """Return the epoch of a session of ours: its events have a sequence, others have none."""
        return self._context.manager.epoch_of(session_id)

    def _outcome_event(
        self, command: Command, outcome: Outcome, *, repeated: bool = False
    ) -> SessionEvent:
        common = {
            "source": self._source,
            "subject": command.subject,
            "correlationid": command.id,
            "tenantid": command.tenantid,
            "traceparent": command.traceparent,
        }
        if outcome.error is None and outcome.result is not None:
            return CommandSucceeded(
                **common,
                data=CommandSucceededData(
                    command_type=outcome.command_type, result=outcome.result, repeated=repeated
                ),
            )
        return CommandFailed(
            **common,
            data=CommandFailedData(
                command_type=outcome.command_type,
                error=outcome.error or GatewayError().body(),
                attempts=outcome.attempts,
                repeated=repeated,
            ),
        )

    async def _refuse(self, delivery: Delivery, rejected: CommandRejectedError) -> None:
        """Tell the sender if that is possible, and put the body to the dead letters."""
        error = rejected.error
        self._observe(rejected.command_type or "unreadable", error.code, 0.0)
        log.warning(
            "command.refused",
            command_id=rejected.command_id,
            session_id=rejected.session_id,
            code=error.code,
            pointers=[fault.pointer for fault in error.errors],
        )
        if rejected.command_id is not None and rejected.session_id is not None:
            event = CommandFailed(
                source=self._source,
                subject=rejected.session_id,
                correlationid=rejected.command_id,
                data=CommandFailedData(command_type=rejected.command_type, error=error, attempts=0),
            )
            epoch = self._epoch_of(rejected.session_id)
            await self._recorder.record(
                Change(session_id=rejected.session_id, epoch=epoch, events=(event,))
            )
        await delivery.settle(
            Settlement.DEAD, Refusal(code=error.code, reason=error.detail or error.code)
        )
