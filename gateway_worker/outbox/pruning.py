"""Deletes what is old: published events, commands that have ended, messages and their receipts."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from gateway_worker.errors import GatewayError

log = structlog.get_logger(__name__)

_LIMIT: Final = 1_000
_PAUSE_SECONDS: Final = 0.05
"""Between two bites: whoever has an unsettled command or event comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Something of which the old is thrown away.

    Attributes:
        name: For metrics and log events.
        prune: Deletes at most so many rows that are old enough and returns how many; fewer than
            that are all that there were. Raises `DependencyError`.
    """

    name: str
    prune: Callable[[int], Awaitable[int]]


class Pruner:
    """Prunes at an interval, in bites that do not disturb anybody (a service).

    Args:
        shelves: What is to be pruned.
        interval_seconds: Time between two rounds.
        pruned: Called with a shelf's name and how many rows it has lost.
    """

    def __init__(
        self,
        *,
        shelves: Sequence[Shelf],
        interval_seconds: float = 60.0,
        pruned: Callable[[str, int], None] = lambda _name, _rows: None,
    ) -> None:
        self._shelves = shelves
        self._interval_seconds = interval_seconds
        self._pruned = pruned

    async def run(self, stop: asyncio.Event) -> None:
        """Prune until `stop` is set."""
        while not stop.is_set():
            for shelf in self._shelves:
                try:
                    await self._prune(shelf, stop)
                except GatewayError as error:  # the next round may go better
                    log.warning("retention.not_pruned", table=shelf.name, reason=str(error))
            await _wait(stop, self._interval_seconds)

    async def _prune(self, shelf: Shelf, stop: asyncio.Event) -> None:
        rows = total = 0
        while not stop.is_set():
            rows = await shelf.prune(_LIMIT)
            total += rows
            self._pruned(shelf.name, rows)
            if rows < _LIMIT:
                break
            await _wait(stop, _PAUSE_SECONDS)
        if total:
            log.info("retention.pruned", table=shelf.name, rows=total)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
