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
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import NoReturn, Self

import structlog

from gateway_contracts import (
    Command,
)
from gateway_worker.commands.attempts import Aside, Attempts, PostponedError
from gateway_worker.commands.ends import CommandEnds, End
from gateway_worker.commands.handlers import (
    HANDLERS,
    Context,
    Effect,
    MessageId,
    Needs,
    Once,
)
from gateway_worker.commands.pacing.pace import Pace, PacedError, Wait
from gateway_worker.commands.ports import (
    CommandTracing,
    Delivery,
    Entry,
    Settlement,
    Verdict,
)
from gateway_worker.commands.preparation import Preparation, Preparing
from gateway_worker.commands.purging import DETAIL
from gateway_worker.commands.scheduler import CalledOffError, Passing, WithdrawnError
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import (
    CancelledError,
    DatabaseUnavailableError,
    ExpiredError,
    GatewayError,
    PermanentError,
    RetryableError,
    SessionNotConnectedError,
    SessionNotFoundError,
    TooManyCommandsError,
    UncertainError,
)
from gateway_worker.host_protocol.methods.chats import TYPING, ShowTyping
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.changes import Change, MessageRow, TransferRefusedError
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError
from gateway_worker.sessions.send_journal import (
    Acknowledged,
    NotSubmitted,
    Rejected,
    Submitted,
)
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)


_DEFERRED_WAIT_SECONDS = 1.0
"""How long what was put off waits for its session's pacing in its place; beyond that it takes no
place, is left, and comes again: what somebody waits for goes before, and others are fed."""


class _WaitedError(Exception):
    """A command has waited for what it needs; it is to be entered again."""


_PASSED_ON = (
    OwnedElsewhereError,
    RetryableError,
    SessionNotFoundError,
    WithdrawnError,
    CalledOffError,
    _WaitedError,
)
"""What an attempt may raise that is not yet the command's end."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a command's attempts have in common.

    Attributes:
        arrived: When it came, by the monotonic clock.
        stopwatch: Takes the times of its steps.
        turn: Lets others of its session run while it waits.
        preparing: Has what takes long to have.
        pace: How far its session's pacing lets it go, if there is any.
        has_waited: Whether it has waited for its session.
        began: When its first attempt did, by the same clock.
        ends_at: When its time to run is up, by the same clock, if it has a bound.
        is_deferred: Whether it was put off, so that it can be once more.
    """

    arrived: float
    stopwatch: Stopwatch
    turn: Aside
    preparing: Preparing
    pace: Pace | None = None
    is_deferred: bool = False
    has_waited: bool = False
    began: float = field(default_factory=time.monotonic)
    ends_at: float | None = None

    @classmethod
    def of(
        cls,
        command: Command,
        *,
        arrived: float,
        stopwatch: Stopwatch,
        turn: Aside,
        preparing: Preparing,
    ) -> Self:
        """Begin a command's first attempt."""
        run = cls(arrived=arrived, stopwatch=stopwatch, turn=turn, preparing=preparing)
        if command.maxruntimems is not None:
            run.ends_at = run.began + command.maxruntimems / 1000
            run.turn = _Bounded(turn, run.ends_at)
        return run

    def check_time(self) -> None:
        """Raise `ExpiredError` if its time to run is up."""
        if self.ends_at is not None and time.monotonic() >= self.ends_at:
            raise ExpiredError("its time to run was up before it had an effect")

    @property
    def seconds_left(self) -> float | None:
        """For how long it may still run."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())

    @property
    def passing(self) -> Passing:
        """Who may overtake between two attempts: others, until it is about to be executed."""
        return Passing.NOBODY if self.preparing.is_ready else Passing.OTHER_ORDERS


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
        prepare = HANDLERS[command.type].prepare
        preparing = Preparing(preparation=prepare and prepare(self._context, command))
        try:
            run = _Run.of(
                command,
                arrived=arrived,
                stopwatch=stopwatch,
                turn=turn or _Alone(),
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
                effect = await self._effect_of_interrupted(command, entry, once, runs_again=False)
            except UncertainError as found:
                prepare = HANDLERS[command.type].prepare
                preparation = prepare and prepare(self._context, command)
                message = await self._message_of(command, found, preparation)
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
        run: _Run,
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
            except _WaitedError:
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
        exhausted = self._attempts.is_exhausted(command, error, last=last)
        return self._ends.failure(command, error, entry, exhausted=exhausted)

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

    async def _attempt(self, command: Command, entry: Entry, epoch: int | None, run: _Run) -> End:
        """Execute a command unless it has an outcome.

        Raises:
            RetryableError: It had no effect, and may have later.
            SessionNotFoundError: As it says.
            OwnedElsewhereError: As it says.
            _WaitedError: As it says.
        """
        if (answer := self._ends.answer_of(command, entry, epoch)) is not None:
            return answer
        try:
            effect = await self._execute(command, entry, run)
        except _PASSED_ON:
            raise
        except UncertainError as error:
            message = await self._message_of(command, error, run.preparing.preparation)
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

    async def _execute(self, command: Command, entry: Entry, run: _Run) -> Effect:
        interrupted = entry.verdict is Verdict.INTERRUPTED
        handler = HANDLERS[command.type]
        once = handler.once
        if interrupted and once is not None:
            effect = await self._effect_of_interrupted(command, entry, once)
            if effect is not None:
                return effect
        self._attempts.check_deadline(command)
        run.check_time()
        await self._await_session(command, run)
        await self._prepare(command, run)
        if handler.paced is not None:
            await self._keep_pace(command, handler.paced(command), run)
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

    async def _effect_of_interrupted(
        self, command: Command, entry: Entry, once: Once, *, runs_again: bool = True
    ) -> Effect | None:
        """Return what an interrupted run has brought about; None if it may be run (again).

        Args:
            command: Which.
            entry: What the inbox says of it.
            once: How it is kept from being done twice.
            runs_again: Whether it is executed if it may be; otherwise None says that it has had no
                effect.

        Raises:
            UncertainError: It may have had its effect, and must not have it twice.
        """
        session = await self._manager.find(command.subject)
        trace = await session.trace_of(
            command.id,
            worker_id=entry.previous_worker,
            epoch=entry.previous_epoch,
            began=entry.received_at,
        )
        self._attempts.traced(command)
        if isinstance(trace, Acknowledged):
            return await once.effect_of(self._context, session, command, trace.result)
        if isinstance(trace, NotSubmitted | Rejected):
            return None
        if runs_again and once.may_repeat(command):
            return None
        detail = "the worker stopped while it was sending; it may have been sent"
        if isinstance(trace, Submitted):
            raise UncertainError(detail, chat=trace.chat, message_id=trace.message_id)
        raise UncertainError(detail)

    async def _message_of(
        self, command: Command, error: UncertainError, preparation: Preparation | None
    ) -> MessageRow | None:
        """Return the message that a command may have sent, if it is known which one that is."""
        once = HANDLERS[command.type].once
        message_of = None if once is None else once.message_of
        if message_of is None or error.chat is None or error.message_id is None:
            return None
        session = self._manager.registry.find(command.subject)
        if session is None:
            return None
        which = MessageId(chat=error.chat, message_id=error.message_id)
        context = replace(self._context, preparation=preparation)
        return await message_of(context, session, command, which)

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
        began = time.monotonic()
        await self._attempts.suspended(
            command, waiting, run.turn, seconds=seconds, passing=Passing.LANE
        )
        run.stopwatch.waited("connecting", began)
        run.has_waited = True
        raise _WaitedError

    async def _prepare(self, command: Command, run: _Run) -> None:
        """Have what takes long to have; sends to other chats run meanwhile.

        Raises:
            GatewayError: It is not to be had.
            _WaitedError: It is there now, or has failed: the command begins anew.
        """
        if run.preparing.is_over:
            return
        session = await self._manager.find(command.subject)
        working = run.preparing.run(session)
        began = time.monotonic()
        await self._attempts.suspended(command, working, run.turn, passing=Passing.OTHER_ORDERS)
        run.stopwatch.waited("preparing", began)
        if run.preparing.is_ready:
            run.began = time.monotonic()  # what it took says nothing of what it is for
        raise _WaitedError

    async def _keep_pace(self, command: Command, recipient: str, run: _Run) -> None:
        """Hold a message back for as long as its session's pacing says.

        Raises:
            PacedError: For longer than it may wait.
            GatewayError: Nothing can be sent now anyway; as `Session.request` would say.
            _WaitedError: It has waited, and others of its session may have run: it begins anew.
        """
        pacer, session = self._context.pacer, self._manager.registry.find(command.subject)
        if pacer is None or session is None:
            return
        pacing = session.settings.pacing
        if run.pace is None:
            if pacer.plan_of(pacing) is None:
                return
            run.pace = Pace(
                pacer=pacer,
                session_id=session.session_id,
                recipient=recipient,
                created_at=session.created_at,
            )
        bounds = (
            _DEFERRED_WAIT_SECONDS if run.is_deferred else pacer.longest_wait_seconds,
            self.seconds_left(command),
            run.seconds_left,
        )
        longest = min(bound for bound in bounds if bound is not None)
        wait = await run.pace.next_wait(pacing, longest_seconds=longest)
        if wait is not None:
            session.check_connected()  # else there is nothing to wait for, and it would not wait
            await self._hold(command, session, run, wait)
        characters = HANDLERS[command.type].typed(command)
        seconds = run.pace.typing_seconds(characters, longest_seconds=longest)
        if seconds > 0:
            with contextlib.suppress(GatewayError):  # then nobody sees it
                await session.request(ShowTyping(chat=recipient, state=TYPING))
            typing = Wait(seconds=seconds, passing=Passing.OTHER_ORDERS)
            await self._hold(command, session, run, typing)

    async def _hold(self, command: Command, session: Session, run: _Run, wait: Wait) -> NoReturn:
        """Hold a message back for a while.

        Raises:
            _WaitedError: It has waited, and others of its session may have run: it begins anew.
        """
        began = time.monotonic()
        waiting = session.until_idle_or_set(seconds=wait.seconds)
        await self._attempts.suspended(command, waiting, run.turn, passing=wait.passing)
        run.stopwatch.waited("paced", began)
        run.began = time.monotonic()  # that it was held back says nothing of what it is for
        if run.pace is not None:
            run.pace.waited_seconds += run.began - began
        raise _WaitedError

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


class _Bounded:
    """A turn in which no wait outlasts a command's time to run."""

    def __init__(self, turn: Aside, ends_at: float) -> None:
        self._turn = turn
        self._ends_at = ends_at

    async def aside(
        self,
        waiting: Awaitable[object],
        *,
        seconds: float | None = None,
        passing: Passing = Passing.NOBODY,
    ) -> None:
        """Wait for something, for as long as there is time."""
        left = max(0.0, self._ends_at - time.monotonic())
        most = left if seconds is None else min(seconds, left)
        await self._turn.aside(waiting, seconds=most, passing=passing)


class _Alone:
    """A turn of which nobody waits for the end."""

    async def aside(
        self,
        waiting: Awaitable[object],
        *,
        seconds: float | None = None,
        passing: Passing = Passing.NOBODY,  # noqa: ARG002 - the port's
    ) -> None:
        """Wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waiting
