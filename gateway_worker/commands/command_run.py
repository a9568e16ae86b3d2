"""What the attempts of one command have in common: its turn, its time, what it has waited for."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Self

from gateway_contracts import Command
from gateway_worker.commands.attempts import Aside
from gateway_worker.commands.lanes import Passing
from gateway_worker.commands.pacing.pace import Pace
from gateway_worker.commands.preparation import Preparing
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import ExpiredError
from gateway_worker.runtime.bounds import shortest


@dataclass(slots=True, kw_only=True)
class Run:
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
        await self._turn.aside(waiting, seconds=shortest(left, seconds), passing=passing)

    def conclude(self) -> None:
        """Note that only the command's end is to be written."""
        self._turn.conclude()


class Alone:
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

    def conclude(self) -> None:
        """Nobody waits for that."""
