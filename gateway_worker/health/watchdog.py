"""Watches the worker's event loop: takes a turn at short intervals and notes how late it was."""

import asyncio
import contextlib
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final

from gateway_worker.runtime.clock import Clock

INTERVAL_SECONDS: Final = 0.5


class LoopWatchdog:
    """Tells, from any thread, whether the event loop still turns.

    Args:
        stuck_seconds: After how long without a turn the loop counts as stuck.
        clock: For measuring.
        observe: Called on the loop with how late each turn was, in seconds.
    """

    def __init__(
        self, *, stuck_seconds: float, clock: Clock, observe: Callable[[float], None]
    ) -> None:
        self._stuck_seconds = stuck_seconds
        self._clock = clock
        self._observe = observe
        self._last_turn = clock.monotonic()
        self._thread = threading.get_ident()
        self.lag_seconds = 0.0

    @property
    def silent_seconds(self) -> float:
        """How long ago the loop took its last turn."""
        return self._clock.monotonic() - self._last_turn

    @property
    def is_stuck(self) -> bool:
        """Whether that is too long."""
        return self.silent_seconds > self._stuck_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Take turns until `stop` is set."""
        self._thread = threading.get_ident()
        while not stop.is_set():
            self._last_turn = self._clock.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_SECONDS):
                    await stop.wait()
                    return
            self.lag_seconds = max(0.0, self.silent_seconds - INTERVAL_SECONDS)
            self._observe(self.lag_seconds)

    def stack(self) -> str:
        """Return what the loop's thread is doing now, the innermost call last."""
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - documented, if internal
        return "".join(traceback.format_stack(frame)).rstrip() if frame else ""
