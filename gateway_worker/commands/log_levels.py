"""The least important event that workers log: changed for a while, at one of them or at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from pydantic import BaseModel, ConfigDict

from gateway_contracts import FLEET, LogLevel, LogLevelSet
from gateway_worker.errors import InvalidCommandError
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind, PeerMessages

log = structlog.get_logger(__name__)


class _Request(BaseModel):
    """What one worker asks of another: it may be passed on, and come late."""

    model_config = ConfigDict(frozen=True)

    worker: str
    level: LogLevel
    until: datetime


class OwnLevel:
    """What this worker logs.

    Args:
        usual: What it logs unless it is told otherwise.
        apply: Has it log from a level on.
        clock: The time.

    Attributes:
        level: What it logs now.
    """

    def __init__(self, *, usual: LogLevel, apply: Callable[[LogLevel], None], clock: Clock) -> None:
        self._usual = usual
        self._apply = apply
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self.level = usual

    def set(self, level: LogLevel, *, until: datetime) -> None:
        """Log from a level on until a time, which may be over."""
        seconds = (until - self._clock.now()).total_seconds()
        if seconds <= 0:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._restore)
        self._change(level, seconds=round(seconds, 1))

    def _restore(self) -> None:
        self._timer = None
        self._change(self._usual)

    def _change(self, level: LogLevel, **more: float) -> None:
        self.level = level
        self._apply(level)
        log.error("log.level_set", log_level=level.value, **more)  # at every level it is there


class LevelSetting(Protocol):
    """Has workers log from a level on (what handlers use)."""

    async def set(self, level: LogLevel, *, worker: str | None, seconds: float) -> LogLevelSet:
        """Set it at one worker, or at all, for so long.

        Raises:
            InvalidCommandError: No worker of that name lives.
            DependencyError: Not all of them were told.
        """
        ...


class LogLevels(LevelSetting):
    """Has workers log from a level on.

    Args:
        worker_id: This worker.
        own: What it logs.
        alive: Asks the database which workers live; raises `DependencyError`.
        peers: Leads to the others.
        clock: The time.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        own: OwnLevel,
        alive: Callable[[], Awaitable[Sequence[str]]],
        peers: PeerMessages,
        clock: Clock,
    ) -> None:
        self._worker_id = worker_id
        self._own = own
        self._alive = alive
        self._peers = peers
        self._clock = clock

    async def set(self, level: LogLevel, *, worker: str | None, seconds: float) -> LogLevelSet:
        """Set it at one worker, or at all."""
        alive = sorted(await self._alive())
        workers = [name for name in alive if worker in (None, name)]
        if not workers:
            raise InvalidCommandError("no worker of this name lives", pointer="/data/worker")
        until = self._clock.now() + timedelta(seconds=seconds)
        for name in workers:
            await self._tell(_Request(worker=name, level=level, until=until))
        return LogLevelSet(level=level, workers=tuple(workers), until=until)

    def obey(self, message: PeerMessage) -> None:
        """Do what another worker asks; what is for a worker that has gone is left."""
        request = _read(message)
        if request is None:
            log.error("control.unreadable", reason="it does not say what to log")
        elif request.worker == self._worker_id:
            self._own.set(request.level, until=request.until)

    async def _tell(self, request: _Request) -> None:
        if request.worker == self._worker_id:
            self._own.set(request.level, until=request.until)
            return
        kind = PeerMessageKind.LOG_LEVEL
        body = request.model_dump_json().encode()
        message = PeerMessage(kind=kind, session_id=FLEET, events=(body,))
        await self._peers.send_peer_message(kind, worker_id=request.worker, body=message.encode())


def _read(message: PeerMessage) -> _Request | None:
    try:
        (body,) = message.events
        return _Request.model_validate_json(body)
    except ValueError:
        return None
