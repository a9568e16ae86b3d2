"""Waiting at the start, without missing that somebody wants the worker to stop."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

Answer = TypeVar("Answer")

CANCEL_SECONDS: Final = 0.3
"""How long a step of the start may take to clean up when it is given up."""


class StoppedError(Exception):
    """The worker was asked to stop before its start was done: no failure."""


async def unless_stopped(stop: asyncio.Event, step: Awaitable[Answer]) -> Answer:
    """Return what a step of the start returns.

    Args:
        stop: Set when the worker is to stop; the step is then cancelled, and left behind if it
            does not end.
        step: What to wait for.

    Raises:
        StoppedError: `stop` was set before the step was done.
        Exception: What the step failed with.
    """
    task = asyncio.ensure_future(step)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise StoppedError
    finally:
        stopping.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=CANCEL_SECONDS)
            task.add_done_callback(_retrieve)


def _retrieve(task: "asyncio.Future[Answer]") -> None:
    if not task.cancelled():
        task.exception()
