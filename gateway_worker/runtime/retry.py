"""How long to wait between attempts: twice as long each time, and never in step with the others."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from gateway_worker.errors import DependencyError

Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)


class Backoff:
    """Exponential backoff with full jitter: the n-th wait is 0 to `initial * factor**n` seconds.

    Drawing from the whole range, rather than from around its end, spreads the attempts of many
    workers that lost the same service at the same moment.

    Args:
        initial_seconds: The longest first wait; above 0.
        maximum_seconds: What no wait exceeds; at least `initial_seconds`.
        factor: How much longer the next wait may be; at least 1.
        uniform: Draws a number between two others; replaced in tests.

    Raises:
        ValueError: The numbers make no growing sequence.
    """

    def __init__(
        self,
        *,
        initial_seconds: float,
        maximum_seconds: float,
        factor: float = 2.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not 0 < initial_seconds <= maximum_seconds:
            raise ValueError(f"0 < initial <= maximum: {initial_seconds} and {maximum_seconds}")
        if factor < 1:
            raise ValueError(f"the factor must not be below 1: {factor}")
        self.initial_seconds = initial_seconds
        self.maximum_seconds = maximum_seconds
        self._factor = factor
        self._uniform = uniform
        self._ceiling_seconds = initial_seconds
        self._attempts = 0

    @property
    def attempts(self) -> int:
        """How many waits were drawn since the last reset."""
        return self._attempts

    def next_seconds(self) -> float:
        """Draw the next wait, in seconds, and let the one after it be longer."""
        ceiling = self._ceiling_seconds
        self._attempts += 1
        self._ceiling_seconds = min(self.maximum_seconds, ceiling * self._factor)
        return self._uniform(0.0, ceiling)

    def reset(self) -> None:
        """Start again from the shortest wait: something has worked."""
        self._ceiling_seconds = self.initial_seconds
        self._attempts = 0


async def until_answered(
    ask: Callable[[], Awaitable[Answer]], *, name: str, within_seconds: float = math.inf
) -> Answer:
    """Repeat a call for as long as the service that it needs is unavailable, and return its answer.

    Args:
        ask: The call; it may have taken effect before it is repeated.
        name: What it is, for log events.
        within_seconds: After so long it is not begun again.

    Raises:
        DependencyError: The service was unavailable for the whole time.
    """
    end = time.monotonic() + within_seconds
    backoff = Backoff(initial_seconds=0.1, maximum_seconds=5.0)
    while True:
        try:
            return await ask()
        except DependencyError as error:
            pause = backoff.next_seconds()
            if time.monotonic() + pause >= end:
                raise
            log.warning("call.retrying", call=name, reason=str(error))
            await asyncio.sleep(pause)
