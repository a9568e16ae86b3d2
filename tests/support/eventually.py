"""Waiting for something to become true, in place of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 30.0
"""Far above what a busy machine with two processors needs: what never comes is late enough then."""


@overload
async def eventually(
    probe: Callable[[], Coroutine[Any, Any, T]],
    *,
    timeout_seconds: float = ...,
    reason: str = ...,
) -> T: ...


@overload
async def eventually(
    probe: Callable[[], T], *, timeout_seconds: float = ..., reason: str = ...
) -> T: ...


async def eventually(
    probe: Callable[[], Any], *, timeout_seconds: float = PATIENCE_SECONDS, reason: str = ""
) -> Any:
    """Call `probe` until it returns something true, and return that.

    An AssertionError raised by the probe counts as "not yet", so a probe may assert. When time runs
    out the last one is raised, or an AssertionError that shows the last value.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        value: Any = None
        failure: AssertionError | None = None
        try:
            outcome = probe()
            value = await outcome if inspect.isawaitable(outcome) else outcome
        except AssertionError as error:
            failure = error
        if failure is None and value:
            return value
        if time.monotonic() > deadline:
            what = reason or getattr(probe, "__name__", "the condition")
            last = failure if failure is not None else f"last value: {value!r}"
            raise AssertionError(f"not within {timeout_seconds} s: {what}; {last}") from failure
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def eventually_blocking(probe: Callable[[], object], *, timeout_seconds: float) -> None:
    """Call `probe` until it returns something true, in a thread without a loop.

    Raises:
        TimeoutError: It did not in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while not probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_seconds} s")
        time.sleep(FIRST_PAUSE_SECONDS)
