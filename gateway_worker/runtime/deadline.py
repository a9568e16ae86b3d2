"""The last resort: ends the process at a moment, whatever its event loop and its threads do."""

import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue


class ExitDeadline:
    """A thread that ends the process once the time is over.

    Args:
        code: The exit code.
        last_words: Called just before, in that thread; has to be quick.
    """

    def __init__(self, *, code: int, last_words: Callable[[], None]) -> None:
        self._code = code
        self._last_words = last_words
        # Of the few things that a signal handler may use whatever it has interrupted.
        self._ends: SimpleQueue[float] = SimpleQueue()
        threading.Thread(target=self._wait, name="exit-deadline", daemon=True).start()

    def set(self, seconds: float) -> None:
        """End the process after so long; calls after the first change nothing."""
        self._ends.put(time.monotonic() + seconds)

    def _wait(self) -> None:
        time.sleep(max(0.0, self._ends.get() - time.monotonic()))
        try:
            self._last_words()
        finally:
            os._exit(self._code)
