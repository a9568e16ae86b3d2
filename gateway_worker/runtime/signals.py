"""The one place that handles signals: the first asks for a stop, the second takes no answer."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` on SIGTERM or SIGINT; a second one ends the process at once (128 + its number).

    Enter it in the main thread with the loop running. The handlers that were there before are put
    back on leaving, so that whatever follows (the interpreter's end, a test runner) has its own.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def first(number: signal.Signals) -> None:
        log.info("worker.stop_requested", signal=number.name)
        stop.set()
        # From here on without the loop: what keeps it from stopping may be a loop that is stuck. An
        # explicit handler, because the default one does nothing for process 1 of a container.
        for each in STOP_SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, _leave_now)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, first, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # None: installed by something that is not Python
                signal.signal(number, handler)


def _leave_now(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)
