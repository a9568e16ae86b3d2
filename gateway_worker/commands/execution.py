"""One command from the inbox to its committed outcome, with the attempts that this may take.

    inbox ──► handler ──► recorder ──► settle
      │ seen before ─────────┘
A command is acknowledged only after its outcome and the event that tells it are committed; a crash
before that brings the command back, and the inbox knows how far it had come. While a command waits
for something, it is not `executing`: a crash meanwhile leaves nothing uncertain.
"""

import time
from dataclasses import replace

import structlog

from gateway_contracts import Command
from gateway_worker.commands.attempts import Aside, Attempts, PostponedError
from gateway_worker.commands.command_run import Alone, Run
from gateway_worker.commands.ends import CommandEnds, End
from gateway_worker.commands.handlers import HANDLERS, Context, Effect
from gateway_worker.commands.interrupted_runs import InterruptedRuns
from gateway_worker.commands.pacing.pace import PacedError
from gateway_worker.commands.ports import (
    CommandTracing,
    Delivery,
    Entry,
    Settlement,
    Verdict,
)
from gateway_worker.commands.preparation import Preparing
from gateway_worker.commands.purging import DETAIL
from gateway_worker.commands.scheduler import CalledOffError, WithdrawnError
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.commands.waits import WaitedError, Waits
from gateway_worker.errors import (
    CancelledError,
    DatabaseUnavailableError,
    GatewayError,
    PermanentError,
    RetryableError,
    SessionNotConnectedError,
    SessionNotFoundError,
    TooManyCommandsError,
    UncertainError,
)
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.changes import Change, TransferRefusedError
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError

log = structlog.get_logger(__name__)


_PASSED_ON = (
    OwnedElsewhereError,
    RetryableError,
    SessionNotFoundError,
    WithdrawnError,
    CalledOffError,
    WaitedError,
)
"""What an attempt may raise that is not yet the command's end."""


class Executor:
    """Brings commands of this worker's sessions to their outcome.

    Args:
        context: What handlers work with.
        attempts: Enters each attempt, and waits between them.
        ends: Brings commands to their ends.
        tracing: Traces commands; without it none is traced.
    """

    def __init__(
        self,
        *,
        context: Context,
        attempts: Attempts,
        ends: CommandEnds,
        tracing: CommandTracing | None = None,
    ) -> None:
        self._context = context
        self._manager = context.manager
        self._attempts = attempts
        self._waits = Waits(context=context, attempts=attempts)
        self._interrupted = InterruptedRuns(context=context, attempts=attempts)
        self._ends = ends
        self._tracing = tracing

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
        if self._tracing is None:
            stopwatch = Stopwatch(arrived=arrived)
            return await self._run(delivery, command, stopwatch, arrived=arrived, turn=turn)
        with self._tracing.command(delivery, command, arrived=arrived) as (traced, stopwatch):
            return await self._run(delivery, traced, stopwatch, arrived=arrived, turn=turn)

    async def _run(
        self,
        delivery: Delivery,
        command: Command,
        stopwatch: Stopwatch,
        *,
        arrived: float,
        turn: Aside | None,
    ) -> bool:
        stopwatch.lap("queue")
        turn = turn or Alone()
        prepare = HANDLERS[command.type].prepare
        context = self._context
        if delivery.deferred is not None:
            context = replace(context, bulk_id=delivery.deferred.bulk_id)
        preparing = Preparing(preparation=prepare and prepare(context, command))
        try:
            run = Run.of(
                command,
                arrived=arrived,
                stopwatch=stopwatch,
                turn=turn,
                preparing=preparing,
            )
            run.is_deferred = delivery.deferred is not None
            end = await self._bring_about(delivery, command, run)
        except OwnedElsewhereError:
            return False
        except PostponedError:
            await delivery.settle(Settlement.ACK)
            return True
        except CalledOffError:
            return await self.fail(delivery, command, CancelledError(DETAIL), arrived=arrived)
        finally:
            self._attempts.traced(command)
            await preparing.close()
        if end is None:
            return False
        turn.conclude()
        try:
            committed = await self._ends.commit(delivery, command, end, stopwatch)
        except TransferRefusedError as refused:
            end = await self._stay(command, end.change, refused)
            committed = await self._ends.commit(delivery, command, end, stopwatch)
        if committed.fenced:
            return False
        if committed.transferred and end.change.transfer is not None:
            await self._manager.departures.depart(command.subject, end.change.transfer.to_worker)
        await self._ends.settle(delivery, command, end, stopwatch)
        if end.change.bulk is not None and self._context.bulks is not None:
            self._context.bulks.look_again()
        stopwatch.outcome = end.name
        log.info("command.settled", outcome=end.name, **stopwatch.fields())
        return True

    async def fail(
        self, delivery: Delivery, command: Command, error: GatewayError, *, arrived: float
    ) -> bool:
        """End a command that is not to be executed; False if another worker owns its session.

        It has the outcome that it has already, or that of its interrupted run: that one may have
        had its effect.
        """
        stopwatch = Stopwatch(arrived=arrived)
        epoch = self._manager.registry.epoch_of(command.subject)
        entry = await self._attempts.enter(command)
        if entry.verdict is Verdict.FENCED:
            self._manager.registry.fence(command.subject, epoch)
            return False
        try:
            end = self._ends.answer_of(command, entry, epoch)
            end = end or await self._end_without_run(command, error, entry)
        except OwnedElsewhereError:
            return False
        except RetryableError:  # it is entered again
            await self._attempts.put_back(command)
            raise
        finally:
            self._attempts.traced(command)
        if (await self._ends.commit(delivery, command, end, stopwatch)).fenced:
            return False
        await self._ends.settle(delivery, command, end, stopwatch)
        log.info("command.settled", outcome=end.name, **stopwatch.fields())
        return True

    async def _end_without_run(self, command: Command, error: GatewayError, entry: Entry) -> End:
        """Return the end of a command that no other run follows.

        Raises:
            RetryableError: What an interrupted run has brought about cannot be found out now.
            OwnedElsewhereError: As it says.
        """
        once = HANDLERS[command.type].once
        if entry.verdict is Verdict.INTERRUPTED and once is not None:
            try:
                effect = await self._interrupted.effect_of(command, entry, once, runs_again=False)
            except UncertainError as found:
                prepare = HANDLERS[command.type].prepare
                preparation = prepare and prepare(self._context, command)
                message = await self._interrupted.message_of(command, found, preparation)
                return self._ends.failure(command, found, entry, message=message)
            except PermanentError as found:
                return self._ends.failure(command, found, entry)
            if effect is not None:
                return self._ends.success(command, effect, entry)
        if isinstance(error, TooManyCommandsError) and entry.verdict is not Verdict.INTERRUPTED:
            return self._ends.failure(command, error, entry)
        if not isinstance(error, CancelledError):
            return self._ends.failure(command, error, entry, exhausted=True)
        if entry.verdict is Verdict.INTERRUPTED and once is None:
            error = UncertainError("it was called off, and may have had its effect before")
        # What was called off on purpose is no dead letter: replayed, it would be sent after all.
        return self._ends.failure(command, error, entry)

    async def _bring_about(
        self,
        delivery: Delivery,
        command: Command,
        run: Run,
    ) -> End | None:
        """Try until there is an end; None if another worker turns out to own the session."""
        backoff = self._attempts.retry_policy.backoff()
        first_epoch = self._manager.registry.epoch_of(command.subject)
        outage = Backoff(initial_seconds=0.2, maximum_seconds=5.0)
        while True:
            epoch = self._manager.registry.epoch_of(command.subject)
            if epoch != first_epoch:
                return None  # it has gone while the command waited: not to be entered as ours
            entry = await self._attempts.enter(command)
            run.stopwatch.lap("inbox")
            if entry.verdict is Verdict.FENCED:
                self._manager.registry.fence(command.subject, epoch)
                return None
            end: End | None
            try:
                end = await self._attempt(command, entry, epoch, run)
            except WaitedError:
                continue
            except DatabaseUnavailableError as error:
                await self._attempts.await_database(command, error, outage, run.turn)
                continue
            except RetryableError as error:
                last = self._is_last(command, error, backoff, run)
                began = time.monotonic()
                if await self._attempts.again(
                    delivery, command, error, backoff, run.turn, last=last, passing=run.passing
                ):
                    run.stopwatch.waited("retry", began, after="execute")
                    continue
                end = await self._leave_off(delivery, command, error, entry, last=last)
            except SessionNotFoundError as error:
                if await self._attempts.session_may_come(delivery, command):
                    raise PostponedError from error
                end = self._ends.failure(command, error, entry)
            run.stopwatch.lap("execute")
            return end

    async def _leave_off(
        self,
        delivery: Delivery,
        command: Command,
        error: RetryableError,
        entry: Entry,
        *,
        last: bool,
    ) -> End | None:
        """Return the end of a command that is not tried again; None if it is fed again some day."""
        if _may_come_again(delivery, error):
            await self._attempts.put_back(command)
            deferred = delivery.deferred
            if deferred is not None and deferred.postpone is not None:
                deferred.postpone(error.retry_after_seconds or 0.0)
            return None
        if self._attempts.is_untraced(command):  # to say that it failed would be to guess
            log.warning("command.run_not_traced", reason=str(error))
            unknown = UncertainError(f"what became of an interrupted run is not known: {error}")
            return self._ends.failure(command, unknown, entry)
        exhausted = self._attempts.is_exhausted(command, error, last=last)
        return self._ends.failure(command, error, entry, exhausted=exhausted)

    def _is_last(self, command: Command, error: RetryableError, backoff: Backoff, run: Run) -> bool:
        """Whether a command has been tried often, or for a connection long enough."""
        if isinstance(error, SessionNotConnectedError) and error.attempts is None:
            return self._manager.registry.seconds_to_connect(command.subject, run.arrived) <= 0
        seconds = time.monotonic() - run.began
        return self._attempts.retry_policy.is_over(
            error, attempts=backoff.attempts + 1, seconds=seconds
        )

    async def _attempt(self, command: Command, entry: Entry, epoch: int | None, run: Run) -> End:
        """Execute a command unless it has an outcome.

        Raises:
            RetryableError: It had no effect, and may have later.
            SessionNotFoundError: As it says.
            OwnedElsewhereError: As it says.
            WaitedError: As it says.
        """
        if (answer := self._ends.answer_of(command, entry, epoch)) is not None:
            return answer
        try:
            effect = await self._execute(command, entry, run)
        except _PASSED_ON:
            raise
        except UncertainError as error:
            message = await self._interrupted.message_of(command, error, run.preparing.preparation)
            return self._ends.failure(command, error, entry, message=message)
        except GatewayError as error:
            return self._ends.failure(command, error, entry)
        except Exception:  # a fault of ours is the command's end, too
            log.exception("command.failed_unexpectedly")
            failed = GatewayError("the gateway failed; its log has the details")
            return self._ends.failure(command, failed, entry)
        run.stopwatch.note("library", effect.library_seconds)
        if run.pace is not None:
            effect = replace(effect, held_seconds=run.pace.waited_seconds)
        return self._ends.success(command, effect, entry)

    async def _execute(self, command: Command, entry: Entry, run: Run) -> Effect:
        interrupted = entry.verdict is Verdict.INTERRUPTED
        handler = HANDLERS[command.type]
        once = handler.once
        if interrupted and once is not None:
            effect = await self._interrupted.effect_of(command, entry, once)
            if effect is not None:
                return effect
        self._attempts.check_deadline(command)
        run.check_time()
        await self._waits.await_session(command, run)
        await self._waits.prepare(command, run)
        if handler.paced is not None:
            await self._waits.keep_pace(command, handler.paced(command), run)
        context = replace(
            self._context,
            interrupted=interrupted,
            preparation=run.preparing.preparation,
            arrived=run.arrived,
            ends_at=run.ends_at,
        )
        try:
            return await handler.run(context, command)
        except UncertainError:
            if once is not None and once.may_repeat(command):
                log.warning("command.resent")
                return await handler.run(context, command)
            raise

    async def _stay(self, command: Command, change: Change, refused: TransferRefusedError) -> End:
        """End a move that came to nothing: the session goes on here."""
        await self._manager.departures.stay(command.subject)
        outcome = change.outcome
        return self._ends.failure(
            command,
            refused,
            Entry(verdict=Verdict.NEW, attempts=outcome.attempts if outcome else 1),
        )


def _may_come_again(delivery: Delivery, error: RetryableError) -> bool:
    """Whether a command that was put off waits once more, for its session or for its pacing."""
    deferred = delivery.deferred
    if deferred is None:
        return False
    if isinstance(error, PacedError):
        return deferred.postpone is not None
    return deferred.may_wait and isinstance(error, SessionNotConnectedError)
