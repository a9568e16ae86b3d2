"""The one place that handles signals: the first asks for a stop, the second takes no answer.

The handlers are Python's own and not the event loop's: they also run while the loop is stuck.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import structlog

log = structlog.get_logger(__name__)

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def stop_on_signals(
    stop: asyncio.Event, *, asked: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Set `stop` on SIGTERM or SIGINT; a second one ends the process at once (128 + its number).

    Enter it in the main thread with the loop running. The handlers that were there before are put
    back on leaving, so that whatever follows (the interpreter's end, a test runner) has its own.

    Args:
        stop: Set by the first signal, as soon as the loop takes a turn.
        asked: Called by the first signal at once, between two instructions of whatever runs: it
            must be short and take no locks.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    is_asked = False

    def tell(number: int) -> None:
        log.info("worker.stop_requested", signal=signal.Signals(number).name)
        stop.set()

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal is_asked
        if is_asked:
            os._exit(128 + number)
        is_asked = True
        asked()
        loop.call_soon_threadsafe(tell, number)

    for number in STOP_SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: installed by something that is not Python
                signal.signal(number, handler)


def leave_on_signals() -> None:
    """Have a signal end the process as if its work was done: there is nothing to save yet.

    For the time before `stop_on_signals`. An explicit handler, because the default one does nothing
    for process 1 of a container.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: os._exit(0))
