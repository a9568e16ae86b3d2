"""Gives sessions of this worker to others in good order: one of them, or all when it drains."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from gateway_contracts import StatusReason
from gateway_worker.errors import GatewayError
from gateway_worker.sessions.changes import Change, Transfer, TransferRefusedError
from gateway_worker.sessions.manager import SessionManager
from gateway_worker.sessions.ports import Recorder, SessionStore

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE = 4
"""Sessions on the move at once: few, so that each of them is away for a short time only."""
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


class Drain:
    """Hands every session to other workers.

    Args:
        worker_id: This worker.
        manager: Its sessions.
        sessions: Says who has room.
        recorder: Commits the transfer.
        commands: Finds the moment between two commands.
        is_portable: Whether sessions can move at all: their device stores can be had elsewhere.
        backlog: Asks how many messages are in this worker's queue or in hand.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        manager: SessionManager,
        sessions: SessionStore,
        recorder: Recorder,
        commands: BetweenCommands,
        is_portable: bool,
        backlog: Callable[[], Awaitable[int]],
    ) -> None:
        self._worker_id = worker_id
        self._manager = manager
        self._sessions = sessions
        self._recorder = recorder
        self._commands = commands
        self._is_portable = is_portable
        self._backlog = backlog

    async def run(self, *, seconds: float) -> int:
        """Hand over what others have room for; returns how many were. Bounded in time.

        Afterwards what still comes for them is sent on, until their new owners have it all. What
        stays is shut down with the worker, and taken over once somebody has room.
        """
        if not self._is_portable or not self._manager.session_ids():
            return 0
        waiting = list(self._manager.session_ids())
        moved = 0

        async def move_on() -> None:
            nonlocal moved
            while waiting:
                session_id = waiting.pop(0)
                if self._manager.pending_of(session_id)[1]:
                    # It has just come, and not yet with everything: later.
                    waiting.append(session_id)
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    moved += await self._move(session_id)

        workers = [asyncio.create_task(move_on()) for _ in range(_SIDE_BY_SIDE)]
        _, late = await asyncio.wait(workers, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        log.info("drain.handed_over", sessions=moved, left=len(self._manager.session_ids()))
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
                    quiet = quiet + 1 if await self._backlog() == 0 else 0

    async def _move(self, session_id: str) -> bool:
        moved = False

        async def errand() -> None:
            nonlocal moved
            moved = await self._hand_over(session_id)

        try:
            await self._commands.after_current_command(session_id, errand)
        except Exception:
            log.exception("drain.session_failed", session_id=session_id)
        return moved

    async def _hand_over(self, session_id: str) -> bool:
        session = self._manager.held_session(session_id)
        if session is None:
            return False
        refused: Sequence[GatewayError] = ()
        for _ in range(_TARGETS):
            target = await self._sessions.place(without=self._worker_id)
            if target is None:
                break
            try:
                await session.pack(StatusReason.WORKER_DRAINING)
                change = Change(
                    session_id=session_id,
                    epoch=session.epoch,
                    transfer=Transfer(to_worker=target),
                )
                committed = await self._recorder.record(change)
            except TransferRefusedError as error:
                refused = (*refused, error)
                continue
            except GatewayError as error:  # its store could not be copied: it must not move
                log.warning("drain.session_stays", session_id=session_id, reason=str(error))
                return False
            if committed.fenced:
                self._manager.fence(session_id)
                return False
            await self._manager.depart(session_id, target)
            return True
        log.info("drain.session_stays", session_id=session_id, refused=len(refused))
        return False
