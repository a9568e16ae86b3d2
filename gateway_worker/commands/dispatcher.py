"""From delivery to settlement: whose command it is, whose turn it is, then its execution.

    accept ──► lane of the session ──► for us? ──► its turn? ──► executor ──► settle
                                         │ no         │ no
                                         ▼            ▼
                                     forwarded       held
What may overtake what is in `session_lanes`. While a session moves from worker to worker, its
commands keep their order: see `handover_path`, which says where they go, and `hold_back_queue`,
where they wait for what is older. A deadline ends every wait, in a lane and in a hold-back queue
alike, and the latter has a bound of its own.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from gateway_contracts import CommandRejectedError, QueuePurge
from gateway_worker.commands.attempts import Aside
from gateway_worker.commands.calling_off import CallingOff
from gateway_worker.commands.command_router import CommandRouter, Route
from gateway_worker.commands.deadlines import HOLD_SECONDS, Deadlines
from gateway_worker.commands.deferred.acceptance import Acceptance
from gateway_worker.commands.deferred_slots import DeferredSlots
from gateway_worker.commands.ends import CommandEnds
from gateway_worker.commands.execution import Executor
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handover_path import Step
from gateway_worker.commands.hold_back_queues import HoldBackQueues
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.log_levels import LogLevels
from gateway_worker.commands.outcomes import is_misrouted
from gateway_worker.commands.peer_requests import PeerRequests
from gateway_worker.commands.ports import Delivery, Refusal, Settlement
from gateway_worker.commands.purging import DETAIL
from gateway_worker.commands.refusals import Refusals
from gateway_worker.commands.scheduler import CalledOffError, Scheduler, Turn, WithdrawnError
from gateway_worker.commands.shared_looks import LOOK_SECONDS, Look, SharedLooks
from gateway_worker.commands.stranded_execution import StrandedExecutor
from gateway_worker.commands.tenant_turns import Seat, TenantTurns, too_much
from gateway_worker.commands.waiting_creations import ROOM_SECONDS, WaitingCreations
from gateway_worker.commands.work import InterleavedJob, Work, read_delivery
from gateway_worker.errors import (
    CancelledError,
    PermanentError,
    RetryableError,
)
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.peer_messages import (
    PeerMessage,
    PeerMessageError,
    PeerMessageKind,
)

log = structlog.get_logger(__name__)

_STRANDED_PAUSE_SECONDS = 1.0
"""Between two looks at whether anybody will."""

_MANY_HOPS = 8
"""A command that was sent on so often goes round in a circle."""

_NO_COMMANDS = (PeerMessage, CommandRejectedError, PeerMessageError)

_NEVER_TOO_MUCH = (*_NO_COMMANDS, QueuePurge)
"""What is let in however much waits: it may be what ends the waiting."""

_FAULTS = 4
"""How often a command may fail in a way that nobody has foreseen, before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executors:
    """What becomes of commands that have their turn.

    Attributes:
        executor: Executes those of this worker's sessions.
        stranded: Ends those of sessions that nobody can run.
        acceptance: Stores those whose time has not come.
        log_levels: Does what other workers ask about the log; without it that is left.
    """

    executor: Executor
    stranded: StrandedExecutor
    acceptance: Acceptance
    log_levels: LogLevels | None = None


class Dispatcher:
    """Takes commands from the consumer and brings each to its one outcome.

    Args:
        worker_id: This worker.
        manager: The sessions of this worker, and who owns the others.
        executors: What becomes of those that have their turn.
        ends: Gives commands up.
        forwarder: Sends on what another worker owns.
        slots: How many deferred sends run at a time.
        hold_seconds: See `HOLD_SECONDS`.
        room_seconds: See `ROOM_SECONDS`.
        tenant_turns: When each tenant's commands may begin; None: as soon as they can.

    Attributes:
        refusals: What was no command.
        misrouted: How many commands came another way than by the key of their session.
    """

    def __init__(  # noqa: PLR0913 - where all that brings a command to its end meets
        self,
        *,
        worker_id: str,
        manager: SessionManager,
        executors: Executors,
        ends: CommandEnds,
        forwarder: Forwarder,
        slots: DeferredSlots,
        hold_seconds: float = HOLD_SECONDS,
        room_seconds: float = ROOM_SECONDS,
        tenant_turns: TenantTurns | None = None,
    ) -> None:
        self._manager = manager
        self._tenant_turns = tenant_turns
        self._executor = executors.executor
        self._stranded = executors.stranded
        self._acceptance = executors.acceptance
        self._ends = ends
        self._forwarder = forwarder
        self._log_levels = executors.log_levels
        self._router = CommandRouter(manager=manager)
        self.refusals = Refusals(worker_id=worker_id, manager=manager, ends=ends)
        self._held_watchers: list[Callable[[int], None]] = []
        self._creations = WaitingCreations(manager=manager, room_seconds=room_seconds)
        self.misrouted = 0
        self._hold_back_queues: HoldBackQueues[Work] = HoldBackQueues(
            manager=manager, on_held=self._tell_held
        )
        self._peer_requests = PeerRequests(manager=manager, hold_back_queues=self._hold_back_queues)
        self._looks = SharedLooks()
        self._slots = slots
        self._scheduler: Scheduler[Work | InterleavedJob] = Scheduler(
            handle=self._handle, on_stuck=self._tell_held, slots=slots
        )
        self._calling_off = CallingOff(
            scheduler=self._scheduler, hold_back_queues=self._hold_back_queues
        )
        self._deadlines = Deadlines(
            seconds_left=executors.executor.seconds_left,
            scheduler=self._scheduler,
            hold_back_queues=self._hold_back_queues,
            hold_seconds=hold_seconds,
        )

    @property
    def waiting(self) -> int:
        """Commands that have not begun."""
        return self._scheduler.waiting

    @property
    def stuck(self) -> int:
        """Commands that wait for something, and those that are queued after them."""
        return self._scheduler.stuck

    @property
    def held(self) -> int:
        """Commands that wait for those in a former owner's queue."""
        return self._hold_back_queues.held

    @property
    def without_room(self) -> int:
        """Creations that wait here for a worker with room."""
        return len(self._creations)

    def note_conversation(self) -> None:
        """Note that somebody has written to one of the sessions: an answer may follow. Cheap."""
        self._slots.note_conversation()

    def note_full(self, *, is_full: bool) -> None:
        """Note whether the whole fleet has no room: then creations wait here, with a bound."""
        self._creations.is_full = is_full

    def accept(self, delivery: Delivery) -> None:
        """Queue a delivery after the others of its session and lane."""
        key, content = read_delivery(delivery)
        work = Work.of(delivery, content, puts_off=self._acceptance.takes(delivery, content))
        lane = work.lane
        if delivery.excess is not None and not isinstance(content, _NEVER_TOO_MUCH):
            work.failure, lane = too_much(delivery.excess), Lane.FREE
        work.ticket = self._scheduler.post(key, work, lane=lane, order=work.order)
        if not isinstance(content, _NO_COMMANDS):
            if is_misrouted(delivery, content):
                self.misrouted += 1
                log.warning("command.misrouted", command_id=content.id, session_id=content.subject)
            self._deadlines.watch(key, work)

    async def after_current_command(self, session_id: str, job: InterleavedJob) -> None:
        """Do something when nothing of a session runs, before whatever waits."""
        done, is_wanted = asyncio.Event(), True

        async def run() -> None:
            try:
                if is_wanted:
                    await job()
            finally:
                done.set()

        self._scheduler.post(session_id, run, lane=Lane.LIFECYCLE, first=True)
        try:
            await done.wait()
        finally:  # whoever waited has given up: what has not begun by now never begins
            is_wanted = False

    def call_off(self, session_id: str, before: float) -> int:
        """Call off what waits for a session and came before a moment; see `CallingOff`."""
        return self._calling_off.purge(session_id, before)

    def flush(self, session_id: str) -> None:
        """Send on what is held for a session that has gone to another worker."""

        async def send_on() -> None:
            for work in self._hold_back_queues.outdated(session_id):
                await self._proceed(session_id, work, None)

        self._scheduler.post(session_id, send_on, lane=Lane.LIFECYCLE, first=True)

    async def give_back(self) -> None:
        """Give back what has not begun, and what waits; call it when no more commands come in."""
        for work in self._scheduler.withdraw():
            if isinstance(work, Work):
                work.rest()
                await work.delivery.settle(Settlement.REQUEUE)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and what has begun is finished."""
        try:
            await stop.wait()
            await self._scheduler.join()
        finally:
            await self._scheduler.cancel()

    def watch_held(self, watcher: Callable[[int], None]) -> None:
        """Call `watcher` whenever it changes how many commands are held back.

        With those that wait after them: so many deliveries are not settled for a while.
        """
        self._held_watchers.append(watcher)

    def _tell_held(self, _changed: int) -> None:
        for watcher in self._held_watchers:
            watcher(self._hold_back_queues.held + self._scheduler.stuck)

    # The way of a delivery.

    async def _handle(
        self, session_id: str, work: Work | InterleavedJob, turn: Turn[Work | InterleavedJob]
    ) -> None:
        if not isinstance(work, Work):
            await work()
            return
        if isinstance(work.content, CommandRejectedError):
            await self.refusals.refuse(work.delivery, work.content, arrived=work.arrived)
        elif isinstance(work.content, PeerMessageError):
            log.error("control.unreadable", reason=str(work.content))
            refusal = Refusal(code="internal", reason=str(work.content))
            await work.delivery.settle(Settlement.DEAD, refusal)
        elif isinstance(work.content, PeerMessage) and (
            work.content.kind is PeerMessageKind.LOG_LEVEL
        ):
            if self._log_levels is not None:
                self._log_levels.obey(work.content)
            await work.delivery.settle(Settlement.ACK)
        else:
            await self._proceed(session_id, work, turn)
            return
        work.rest()

    async def _proceed(self, session_id: str, work: Work, turn: Aside | None) -> None:
        """Forward, hold, obey or execute, until one of them settles it or it waits for its turn.

        Without a turn of its own it lets nobody pass while it waits.
        """
        content = work.content
        assert not isinstance(content, CommandRejectedError | PeerMessageError)
        names = (
            {"control": content.kind.value}
            if isinstance(content, PeerMessage)
            else {"command_id": content.id, "command_type": content.type}
        )
        with structlog.contextvars.bound_contextvars(session_id=session_id, **names):
            try:
                await self._insist(session_id, work, turn)
            except WithdrawnError:
                await work.delivery.settle(Settlement.REQUEUE)
            except Exception:
                log.exception("command.given_up")
                if isinstance(content, PeerMessage):
                    refusal = Refusal(code="internal", reason="the gateway failed")
                    await work.delivery.settle(Settlement.DEAD, refusal)
                else:
                    await self._ends.give_up(work.delivery, content, arrived=work.arrived)
                    await self._end(session_id, work)
            finally:
                if work.delivery.is_settled:
                    work.rest()
                    self._creations.discard(work)

    async def _insist(self, session_id: str, work: Work, turn: Aside | None) -> None:
        """Try until the delivery is dealt with, for as long as what it needs is unavailable.

        Trying again is safe: what a command has done already is in the inbox, and in the notes of
        its host.

        Raises:
            PermanentError: It can never be dealt with.
            Exception: A fault of ours, which has come back several times.
        """
        if self._tenant_turns is None or turn is None or isinstance(work.content, PeerMessage):
            await self._repeat(session_id, work, turn)
            return
        seconds_left = self._deadlines.seconds_left(work)
        with self._tenant_turns.seated(session_id, work, turn, seconds_left=seconds_left) as seat:
            await self._repeat(session_id, work, seat)

    async def _repeat(self, session_id: str, work: Work, turn: Aside | None) -> None:
        with self._looks.of(session_id) as look:
            await self._repeat_until_done(session_id, work, turn, look)

    async def _repeat_until_done(
        self, session_id: str, work: Work, turn: Aside | None, look: Look
    ) -> None:
        backoff = Backoff(initial_seconds=0.2, maximum_seconds=5.0)
        attempt = self._try if work.delivery.deferred is None else self._run_deferred
        faults = 0
        while True:
            pause: float | None = None
            try:
                if await attempt(session_id, work, turn):
                    return
            except (PermanentError, WithdrawnError):
                raise
            except RetryableError as error:
                log.warning("command.waiting", reason=str(error))
                pause = backoff.next_seconds()
            except Exception:
                faults += 1
                if faults >= _FAULTS:
                    raise
                log.warning("command.faulty", exc_info=True)
                pause = backoff.next_seconds()
            try:
                if pause is not None:
                    await _wait(turn, asyncio.sleep(pause))
                else:  # nobody has the session yet
                    looking = look.pause(with_others=work.failure is not None)
                    await _wait(turn, looking, seconds=self._seconds_to_deadline(work))
            except CalledOffError:
                work.failure = CancelledError(DETAIL)

    def _seconds_to_deadline(self, work: Work) -> float | None:
        """Return how long a command may wait for its session; None: for any time."""
        left = self._deadlines.seconds_left(work)
        return None if left is None else max(left, LOOK_SECONDS)

    async def _try(  # noqa: PLR0911 - as many as there are ways
        self, session_id: str, work: Work, turn: Aside | None
    ) -> bool:
        """Deal with a delivery as things stand; False if they have changed meanwhile."""
        delivery, content = work.delivery, work.content
        if delivery.is_settled:  # it has gone back to the broker with the rest of its queue
            if not work.has_ended:
                self._hold_back_queues.lose(session_id, work)
            return True
        if self._creations.must_wait(work, is_overdue=self._deadlines.is_overdue(work)):
            return False
        control = content if isinstance(content, PeerMessage) else None
        route = await self._router.find_route(session_id, delivery, control)
        if work.lane in (Lane.SENDS, Lane.LIFECYCLE) and (
            outdated := self._hold_back_queues.outdated(session_id)
        ):
            # What was held while the session was ours goes on before what came later.
            for held in outdated:
                await self._proceed(session_id, held, None)
            return await self._try(session_id, work, turn)
        if route.is_blocked:  # its worker is dead and nobody has taken the session over yet
            return await self._run_stranded(session_id, work)
        if route.is_leaving and control is not None:
            await self._manager.directory.note_left(session_id, control.epoch)
        if route.step is not None and not route.is_here:
            return await self._send_on(session_id, work, route, route.step)
        if control is None:
            return await self._take(session_id, work, route, turn)
        return await self._obey(session_id, work, control, is_over=route.is_over)

    async def _send_on(self, session_id: str, work: Work, route: Route, step: Step) -> bool:
        """Send a delivery to the worker that it belongs to next; False if it did not go out."""
        if work.delivery.hops >= _MANY_HOPS and await self._run_stranded(session_id, work):
            return True  # the queue that it belongs into is not there
        is_on_its_way = await self._forwarder.forward(work.delivery, step)
        if route.is_misdirected:
            await self._manager.rebinder.turn_away(session_id)
        return is_on_its_way

    async def _take(self, session_id: str, work: Work, route: Route, turn: Aside | None) -> bool:
        """Execute a command that is for us, or hold it; False if it turns out not to be."""
        content = work.content
        assert not isinstance(content, CommandRejectedError | PeerMessage | PeerMessageError)
        if isinstance(turn, Seat) and await turn.take():
            return await self._try(session_id, work, turn)  # the session may have gone meanwhile
        if route.where.pending and not await self._peer_requests.begin(session_id):
            return False
        if work.failure is not None:
            failed = await self._executor.fail(
                work.delivery, content, work.failure, arrived=work.arrived
            )
            return failed and await self._end(session_id, work)
        if work.lane in (Lane.SENDS, Lane.LIFECYCLE) and not self._deadlines.is_overdue(work):
            stage = route.step.stage if route.step is not None else None
            if not self._hold_back_queues.admit(session_id, work, stage=stage):
                self._deadlines.watch_held(session_id, work)
                return True
        if work.puts_off:
            is_over = await self._acceptance.run(work.delivery, content, arrived=work.arrived)
        else:
            is_over = await self._executor.run(
                work.delivery, content, arrived=work.arrived, turn=turn
            )
        return is_over and await self._end(session_id, work)

    async def _run_deferred(self, session_id: str, work: Work, turn: Aside | None) -> bool:
        """Execute what was put off; always True. Whoever has the session next finds what is left.

        It came out of the database and not out of a queue: it is sent on to nobody, and waits for
        no former owner's queue.
        """
        deferred = work.delivery.deferred
        assert deferred is not None
        if isinstance(turn, Seat):
            await turn.take()
        epoch = self._manager.registry.epoch_of(session_id)
        is_due = epoch == deferred.epoch and deferred.is_wanted()
        if not is_due or not await self._executor.run(
            work.delivery, deferred.command, arrived=work.arrived, turn=turn
        ):
            await work.delivery.settle(Settlement.REQUEUE)
        return True

    async def _end(self, session_id: str, work: Work) -> bool:
        """Note that a command has its outcome; always True."""
        work.has_ended = True
        await self._hold_back_queues.end(session_id, work)
        return True

    async def _run_stranded(self, session_id: str, work: Work) -> bool:
        """Deal with what comes for a session that nobody runs, once nobody will; else False."""
        content, now = work.content, time.monotonic()
        assert not isinstance(content, CommandRejectedError | PeerMessageError)
        is_overdue = self._deadlines.is_overdue(work)
        if now < work.look_again and not is_overdue:
            return False
        work.look_again = now + _STRANDED_PAUSE_SECONDS
        row = await self._manager.stranded.find(session_id, at_once=is_overdue)
        if row is None:
            return False
        if not isinstance(content, PeerMessage):
            return await self._stranded.run(work.delivery, content, row, arrived=work.arrived)
        if content.kind in {PeerMessageKind.FORWARDED, PeerMessageKind.FOUND}:
            return False  # kept for its owner; nothing waits for it
        # Whoever has the session next sends its markers again.
        await work.delivery.settle(Settlement.ACK)
        return True

    async def _obey(
        self, session_id: str, work: Work, control: PeerMessage, *, is_over: bool
    ) -> bool:
        """Do what another worker asks of the owner of a session; False if that is not us."""
        released = await self._peer_requests.obey(session_id, control, is_over=is_over)
        if released is None:
            return False
        await work.delivery.settle(Settlement.ACK)
        for waiting in reversed(released):  # before all that came after the marker
            if waiting.delivery.is_settled:  # a later delivery of it waits
                await self._hold_back_queues.end(session_id, waiting)
                continue
            waiting.ticket = self._scheduler.post(
                session_id, waiting, lane=waiting.lane, first=True, order=waiting.order
            )
        return True


async def _wait(
    turn: Aside | None, waiting: Awaitable[object], *, seconds: float | None = None
) -> None:
    if turn is not None:
        await turn.aside(waiting, seconds=seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting
