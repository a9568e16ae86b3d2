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
    CommandRejectedError,
    ErrorBody,
    ErrorCode,
    MessageSend,
    OnUncertain,
    parse_command,
)
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handlers import HANDLERS, Context, Effect
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.commands.ports import Delivery, Entry, Received, Refusal, Settlement, Verdict
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import (
    ExpiredError,
    GatewayError,
    InvalidCommandError,
    UncertainError,
)
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

Observer = Callable[[str, str, Stopwatch], None]
"""Called with a command's type, its outcome (`succeeded` or an error code) and its times."""


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
        observe: Observer = lambda _type, _outcome, _times: None,
    ) -> None:
        self._worker_id = worker_id
        self._context = context
        self._inbox = inbox
        self._recorder = recorder
        self._forwarder = forwarder
        self._clock = clock
        self._observe = observe
        self._outcomes = Outcomes(worker_id=worker_id)
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
            await self._refuse(work, work.command)
            return
        command = work.command
        with structlog.contextvars.bound_contextvars(
            session_id=session_id, command_id=command.id, command_type=command.type
        ):
            try:
                await self._take_on(work, command)
            except Exception:
                log.exception("command.given_up")
                await self._give_up(work, command)

    async def _take_on(self, work: Work, command: Command) -> None:
        owner = await self._context.manager.elsewhere(command.subject)
        if owner is None:
            await self._bring_about(work, command)
        else:  # not entered into the inbox: for the owner it is a new command
            await self._forwarder.forward(work.delivery, command, owner)

    async def _give_up(self, work: Work, command: Command) -> None:
        """End a command that the gateway itself has failed, so that it does not come for ever."""
        error = GatewayError("the gateway failed; its log has the details").body()
        epoch = self._context.manager.epoch_of(command.subject)
        change = self._outcomes.failure(command, error, attempts=1, epoch=epoch)
        await self._bury(work, command.type, change, error)

    async def _deny(self, work: Work, command: Command) -> None:
        detail = "another session has used this command id; an id names one command for ever"
        error = InvalidCommandError(detail, pointer="/id").body()
        epoch = self._context.manager.epoch_of(command.subject)
        await self._bury(
            work, command.type, self._outcomes.denial(command, error, epoch=epoch), error
        )

    async def _bring_about(self, work: Work, command: Command) -> None:
        delivery, stopwatch = work.delivery, Stopwatch(arrived=work.arrived)
        stopwatch.lap("queue")
        entry = await self._inbox.enter(
            Received(
                command_id=command.id,
                session_id=command.subject,
                command_type=command.type,
                worker_id=self._worker_id,
            )
        )
        stopwatch.lap("inbox")
        if entry.verdict is Verdict.TAKEN:
            await self._deny(work, command)
            return
        try:
            name, change = await self._end_of(command, entry, stopwatch)
        except OwnedElsewhereError as elsewhere:
            await self._forwarder.forward(delivery, command, elsewhere.worker_id)
            return
        stopwatch.lap("execute")
        committed = await self._recorder.record(change)
        stopwatch.lap("commit")
        if committed.fenced:  # its new owner decides
            self._context.manager.fence(command.subject)
            await delivery.settle(Settlement.REQUEUE)
            return
        await self._settle(delivery, change.outcome)
        self._observe(command.type, name, stopwatch)
        log.info("command.settled", outcome=name, **stopwatch.fields())

    async def _end_of(
        self, command: Command, entry: Entry, stopwatch: Stopwatch
    ) -> tuple[str, Change]:
        """Execute a command unless it has an outcome; returns the outcome's name and its change."""
        epoch_of = self._context.manager.epoch_of
        if entry.verdict is Verdict.FINISHED and entry.outcome is not None:
            epoch = epoch_of(command.subject)
            return "repeated", self._outcomes.repetition(command, entry.outcome, epoch=epoch)
        try:
            effect = await self._execute(command, interrupted=entry.verdict is Verdict.INTERRUPTED)
            stopwatch.note("library", effect.library_seconds)
            return "succeeded", self._outcomes.success(command, effect, attempts=entry.attempts)
        except OwnedElsewhereError:
            raise
        except GatewayError as error:
            body = error.body()
        except Exception:
            log.exception("command.failed_unexpectedly")
            body = GatewayError("the gateway failed; its log has the details").body()
        return body.code, self._outcomes.failure(
            command, body, attempts=entry.attempts, epoch=epoch_of(command.subject)
        )

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

    @staticmethod
    async def _settle(delivery: Delivery, outcome: Outcome | None) -> None:
        error = outcome.error if outcome else None
        if error is not None and error.code in _DEAD:
            refusal = Refusal(code=error.code, reason=error.detail or error.title)
            await delivery.settle(Settlement.DEAD, refusal)
        else:
            await delivery.settle(Settlement.ACK)

    async def _refuse(self, work: Work, rejected: CommandRejectedError) -> None:
        """Tell the sender if that is possible, and put the body to the dead letters."""
        error, session_id = rejected.error, rejected.session_id
        log.warning(
            "command.refused",
            command_id=rejected.command_id,
            session_id=session_id,
            code=error.code,
            pointers=[fault.pointer for fault in error.errors],
        )
        refusal = None
        if rejected.command_id is not None and session_id is not None:
            refusal = self._outcomes.refusal(
                rejected,
                command_id=rejected.command_id,
                session_id=session_id,
                epoch=self._context.manager.epoch_of(session_id),
            )
        await self._bury(work, rejected.command_type or "unreadable", refusal, error)

    async def _bury(
        self, work: Work, command_type: str, end: Change | None, error: ErrorBody
    ) -> None:
        """Announce a command's end if that is possible, and put it to the dead letters."""
        try:
            if end is not None:
                await self._recorder.record(end)
        except Exception:
            log.exception("command.end_not_recorded")
        await work.delivery.settle(
            Settlement.DEAD, Refusal(code=error.code, reason=error.detail or error.code)
        )
        self._observe(command_type, error.code, Stopwatch(arrived=work.arrived))
