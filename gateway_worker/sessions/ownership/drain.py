"""Gives sessions of this worker to others in good order: one of them, or all when it drains."""

import asyncio
import contextlib
import enum
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from gateway_contracts import StatusReason
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.sessions.changes import Change, Transfer, TransferRefusedError
from gateway_worker.sessions.ports import Recorder, SessionStore
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE = (2, 4)
_EACH = 16
"""Sessions on the move at once: few, so that each of them is unavailable for a short time only; one
more for so many that there are, so that there is time enough for all."""
_RETRY_SECONDS = 0.3
_BROKER_SECONDS = 2.0
_BROKER_PART = 0.5
"""For so much of the time a session waits for the broker, which notifies its new owner at once;
then it goes without: its new owner finds it when it looks next."""
_SENDING_ON_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_QUIET_LOOKS = 5
_TARGETS = 3
"""How many workers are asked to take a session before it stays."""


class BetweenCommands(Protocol):
    """Runs something after a session's current command (implemented by the dispatcher)."""

    async def after_current_command(
        self, session_id: str, errand: Callable[[], Awaitable[None]]
    ) -> None:
        """Run it before the commands that wait, and return when it is done."""
        ...


class PeersOverBroker(Protocol):
    """What a drain asks the broker. Every call may raise `DependencyError`."""

    async def backlog(self) -> int:
        """Return how many messages are in this worker's queue or not settled."""
        ...

    async def check(self) -> None:
        """Return if other workers could be notified now."""
        ...

    async def is_listening(self, worker_id: str) -> bool:
        """Whether a worker takes what comes for it."""
        ...


class DepartingSessions(Protocol):
    """The sessions of this worker, as far as a drain lets go of them (the registry)."""

    def session_ids(self) -> Sequence[str]:
        """Return the sessions that are here."""
        ...

    def held_session(self, session_id: str) -> Session | None:
        """Return a session if it is here."""
        ...

    def fence(self, session_id: str, epoch: int) -> None:
        """Note that another worker owns a session since that epoch."""
        ...


class _End(enum.Enum):
    """What became of an attempt to hand a session over."""

    MOVED = "moved"
    STAYS = "stays"
    LATER = "later"
    """Something that it needs is unavailable; the session is as it was."""


class Drain:
    """Hands every session to other workers.

    Args:
        worker_id: This worker.
        here: Its sessions.
        depart: Lets go of a session that another worker owns now, and notifies that worker.
        sessions: Says who has room.
        recorder: Commits the transfer.
        commands: Finds the moment between two commands.
        is_portable: Whether sessions can move at all: their device stores can be had elsewhere.
        broker: Asked whether the others can be notified, and whether anything still comes.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        here: DepartingSessions,
        depart: Callable[[str, str], Awaitable[None]],
        sessions: SessionStore,
        recorder: Recorder,
        commands: BetweenCommands,
        is_portable: bool,
        broker: PeersOverBroker,
    ) -> None:
        self._worker_id = worker_id
        self._here = here
        self._depart = depart
        self._sessions = sessions
        self._recorder = recorder
        self._commands = commands
        self._is_portable = is_portable
        self._broker = broker
        self._is_patient = False
        self._broker_until = 0.0

    @property
    def has_work(self) -> bool:
        """Whether there are sessions that could move."""
        return self._is_portable and bool(self._here.session_ids())

    async def run(self, *, seconds: float, after_outage: bool = False) -> int:
        """Hand over what others have room for; returns how many were. Bounded in time.

        A session that cannot go because something is unavailable is tried again until the time is
        over. Afterwards what still comes for them is sent on, until their new owners have it all.
        What stays is shut down with the worker, and taken over once somebody has room.

        Args:
            seconds: How long sessions are handed over.
            after_outage: The database was unavailable just now: other workers may not have their
                leases back yet, so nobody with room is no answer.
        """
        if not self.has_work:
            return 0
        self._is_patient = after_outage
        self._broker_until = time.monotonic() + seconds * _BROKER_PART
        waiting = list(self._here.session_ids())
        moved = 0

        async def move_on() -> None:
            nonlocal moved
            while waiting:
                session_id = waiting.pop(0)
                end = await self._move(session_id)
                moved += end is _End.MOVED
                if end is _End.LATER:
                    waiting.append(session_id)
                    await asyncio.sleep(_RETRY_SECONDS)

        fewest, most = _SIDE_BY_SIDE
        side_by_side = min(max(fewest, len(waiting) // _EACH), most)
        workers = [asyncio.create_task(move_on()) for _ in range(side_by_side)]
        try:
            await asyncio.wait(workers, timeout=seconds)
        finally:  # also when the whole drain is given up
            for task in workers:
                task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        log.info("drain.handed_over", sessions=moved, left=len(self._here.session_ids()))
        if moved:
            await self._until_sent_on()
        return moved

    async def _until_sent_on(self) -> None:
        """Wait until nothing comes any more; what comes later is for those who attend the queue."""
        quiet = 0
        with contextlib.suppress(TimeoutError, GatewayError):
            async with asyncio.timeout(_SENDING_ON_SECONDS):
                while quiet < _QUIET_LOOKS:
                    await asyncio.sleep(_LOOK_SECONDS)
                    quiet = quiet + 1 if await self._broker.backlog() == 0 else 0

    async def _move(self, session_id: str) -> _End:
        end = _End.STAYS

        async def errand() -> None:
            nonlocal end
            end = await self._hand_over(session_id)

        try:
            await self._commands.after_current_command(session_id, errand)
        except Exception:
            log.exception("drain.session_failed", session_id=session_id)
        return end

    async def _hand_over(self, session_id: str) -> _End:
        session = self._here.held_session(session_id)
        if session is None:
            return _End.STAYS
        refused = 0
        for _ in range(_TARGETS):
            target = await self._quiesce(session)
            if isinstance(target, _End):
                return target
            try:
                return await self._give(session, target)
            except TransferRefusedError:
                refused += 1
        log.info("drain.session_stays", session_id=session_id, refused=refused)
        session.resume()
        return _End.STAYS

    async def _quiesce(self, session: Session) -> str | _End:
        """Get a session ready to go to another worker, which is returned, or say how it ends."""
        try:
            target = await self._sessions.place(without=self._worker_id)
            if target is None:
                return self._without_target(session)
            if await self._can_be_told(target):
                await session.quiesce(StatusReason.WORKER_DRAINING)
                return target
            log.info("drain.worker_silent", session_id=session.session_id, worker=target)
        except DependencyError as error:
            log.warning("drain.session_waits", session_id=session.session_id, reason=str(error))
            self._is_patient = True
        except GatewayError as error:  # its store cannot be copied: it must not move
            log.warning("drain.session_stays", session_id=session.session_id, reason=str(error))
            return _End.STAYS
        session.resume()
        return _End.LATER

    async def _can_be_told(self, target: str) -> bool:
        """Whether the other worker listens; one that has just died does not.

        Raises:
            DependencyError: The broker cannot be asked.
        """
        if time.monotonic() >= self._broker_until:
            return True
        try:
            async with asyncio.timeout(_BROKER_SECONDS):
                await self._broker.check()
                return await self._broker.is_listening(target)
        except TimeoutError as error:
            raise DependencyError("the broker does not answer") from error

    def _without_target(self, session: Session) -> _End:
        session.resume()
        if self._is_patient:
            return _End.LATER
        log.info("drain.session_stays", session_id=session.session_id, refused=0)
        return _End.STAYS

    async def _give(self, session: Session, target: str) -> _End:
        """Commit that another worker has the session, and let go of it."""
        change = Change(
            session_id=session.session_id,
            epoch=session.epoch,
            transfer=Transfer(to_worker=target),
        )
        committed = await self._recorder.record(change)
        if committed.fenced:
            self._here.fence(session.session_id, session.epoch)
            return _End.STAYS
        await self._depart(session.session_id, target)
        return _End.MOVED
