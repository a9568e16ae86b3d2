"""Wakes what waits for work when it is to stop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def woken_by(stop: asyncio.Event, wake: asyncio.Event, *, name: str) -> Iterator[None]:
    """Set an event as soon as another one is set, for as long as the block runs.

    So that a loop that waits for work need not wait for its end as well. It is set once more when
    the block is left, which nobody waits for any more.

    Args:
        stop: Says that it is time to stop.
        wake: What the loop waits for.
        name: Name of the task that waits for `stop`.
    """
    stopping = asyncio.create_task(stop.wait(), name=name)
    stopping.add_done_callback(lambda _task: wake.set())
    try:
        yield
    finally:
        stopping.cancel()
