"""How a command ends: what is committed for it, and what becomes of its delivery."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from gateway_contracts import Command, ErrorBody, ErrorCode
from gateway_worker.commands.features import DEFAULT, Feature, check
from gateway_worker.commands.handlers import Effect
from gateway_worker.commands.outcomes import Outcomes, completed, warned
from gateway_worker.commands.ports import Delivery, Entry, Refusal, Settlement, Verdict
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    PermanentError,
    UnsupportedError,
)
from gateway_worker.sessions.changes import Change, Committed, MessageRow, Outcome
from gateway_worker.sessions.deferred import DeferredRow
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ports import Recorder

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
class End:
    """What is to be committed for a command, and what it is called.

    Attributes:
        stored: The outcome that it turned out to have already.
        was_interrupted: It is about a run of before, of which no call here has seen the end.
    """

    name: str
    change: Change
    stored: Outcome | None = None
    error: ErrorBody | None = None
    attempts: int = 0
    exhausted: bool = False
    was_interrupted: bool = False


_CONFLICTS = {
    Verdict.TAKEN: "another session has used this command id; an id names one command for ever",
    Verdict.DIFFERENT: "this command id was used before, with another content; that command's "
    "outcome stands. An id names one command for ever: a new command needs a new one",
}
"""Why a command is not accepted whose id belongs to another one."""


class CommandEnds:
    """Brings commands to the ends that they have come to.

    Args:
        worker_id: This worker.
        manager: Its sessions.
        recorder: Commits outcomes.
        features: What is switched on.
        observe: Called with each command that has come to its end.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        manager: SessionManager,
        recorder: Recorder,
        features: frozenset[Feature] = DEFAULT,
        observe: Observer = lambda _type, _outcome, _times: None,
    ) -> None:
        self._manager = manager
        self._recorder = recorder
        self._features = features
        self._observe = observe
        self._outcomes = Outcomes(worker_id=worker_id)

    def answer_of(self, command: Command, entry: Entry, epoch: int | None) -> End | None:
        """Return what can be said of a command without executing it; None if it is to be executed.

        That is what the inbox says of it, and that it needs what is not switched on. One that has
        ended and whose result is not kept is executed.
        """
        if entry.verdict in _CONFLICTS:
            error = InvalidCommandError(_CONFLICTS[entry.verdict], pointer="/id").body()
            change = self._outcomes.denial(command, error, epoch=epoch)
            return End(name=error.code, change=change, error=error)
        if entry.outcome is not None and _has_kept(entry):
            change = self._outcomes.repetition(command, entry.outcome, epoch=epoch)
            return End(name="repeated", change=change, stored=entry.outcome)
        if entry.verdict is Verdict.INTERRUPTED:  # it may have had its effect
            return None
        try:
            check(command, self._features)
        except UnsupportedError as error:
            return self.failure(command, error, entry, epoch=epoch)
        return None

    def success(self, command: Command, effect: Effect, entry: Entry) -> End:
        """Return the end of a command that has had its effect."""
        change = self._outcomes.success(command, effect, attempts=entry.attempts)
        return End(
            name="succeeded",
            change=told_again(change, entry),
            was_interrupted=entry.verdict is Verdict.INTERRUPTED,
        )

    def failure(
        self,
        command: Command,
        error: GatewayError,
        entry: Entry,
        *,
        exhausted: bool = False,
        epoch: int | None = None,
        message: MessageRow | None = None,
    ) -> End:
        """Return the end of a command that has failed; under the session's epoch by default.

        Args:
            command: Which.
            error: How it failed.
            entry: What the inbox says of it.
            exhausted: It was tried as often as it may be.
            epoch: Its session's.
            message: Of an uncertain send: what may have been sent.
        """
        body = error.body()
        if epoch is None:
            epoch = self._manager.registry.epoch_of(command.subject)
        change = self._outcomes.failure(
            command, body, attempts=entry.attempts, epoch=epoch, message=message
        )
        return End(
            name=body.code,
            change=told_again(change, entry),
            error=body,
            attempts=entry.attempts,
            exhausted=exhausted,
            was_interrupted=entry.verdict is Verdict.INTERRUPTED,
        )

    def scheduled(
        self, command: Command, *, epoch: int | None, row: DeferredRow | None, due_at: datetime
    ) -> End:
        """Return what is told of a command that waits for its time; see `Outcomes.scheduled`."""
        change = self._outcomes.scheduled(command, epoch=epoch, row=row, due_at=due_at)
        return End(name="scheduled", change=change)

    async def commit(
        self, delivery: Delivery, command: Command, end: End, stopwatch: Stopwatch
    ) -> Committed:
        """Commit an end; what cannot be stored of a message that is sent is left out."""
        change = warned(end.change, delivery, command)
        change = completed(change, delivery, command, stored=end.stored)
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
        elif end.was_interrupted and (session := self._manager.registry.find(command.subject)):
            session.sends.settled()
        return committed

    async def settle(
        self, delivery: Delivery, command: Command, end: End, stopwatch: Stopwatch
    ) -> None:
        """Settle a command's delivery after its end is committed, and count it."""
        error = end.error
        if delivery.deferred is not None and delivery.deferred.note is not None:
            delivery.deferred.note(error if end.stored is None else end.stored.error)
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
        self._observe(command.type, end.name, stopwatch)

    async def give_up(self, delivery: Delivery, command: Command, *, arrived: float) -> None:
        """End a command that the gateway itself has failed, so that it does not come for ever."""
        error = GatewayError("the gateway failed; its log has the details").body()
        epoch = self._manager.registry.epoch_of(command.subject)
        change = self._outcomes.failure(command, error, attempts=1, epoch=epoch)
        change = completed(change, delivery, command)
        await self.end_unexecuted(delivery, command.type, change, error, arrived=arrived)

    async def end_unexecuted(
        self,
        delivery: Delivery,
        command_type: str,
        end: Change | None,
        error: ErrorBody,
        *,
        arrived: float,
        settlement: Settlement = Settlement.DEAD,
    ) -> None:
        """Announce an end that no execution has led to, if that is possible, and settle it.

        Args:
            delivery: Of what has ended.
            command_type: What is counted.
            end: What is told of it; None: nothing.
            error: Why.
            arrived: When it came, by the monotonic clock.
            settlement: `ACK` keeps nothing of it, `DEAD` puts it to the dead letters.
        """
        try:
            if end is not None:
                await self._recorder.record(end)
        except Exception:  # whatever it was, it must not come again for that
            log.exception("command.end_not_recorded")
        refusal = Refusal(
            code=error.code, reason=error.detail or error.code, errors=tuple(error.errors)
        )
        await delivery.settle(settlement, refusal if settlement is Settlement.DEAD else None)
        self._observe(command_type, error.code, Stopwatch(arrived=arrived))


def _has_kept(entry: Entry) -> bool:
    """Whether the inbox has the end of a command, with what is told of it."""
    outcome = entry.outcome
    is_known = outcome is not None and (outcome.result is not None or outcome.error is not None)
    return entry.verdict is Verdict.FINISHED and is_known


def told_again(change: Change, entry: Entry) -> Change:
    """Return the end of a command as it is written: one that had an end before is only told."""
    if entry.verdict is not Verdict.FINISHED:
        return change
    events = tuple(
        event.model_copy(update={"data": event.data.model_copy(update={"repeated": True})})
        for event in change.events
    )
    return replace(change, outcome=None, events=events)
