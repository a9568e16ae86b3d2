"""Time that has to pass: at the rate of a load, or while something must not happen.

These two are the only ways in which a test lets real time go by; everything else waits for what it
wants, with `eventually`.
"""

import asyncio
import inspect
import time
from collections.abc import Callable

LOOK_SECONDS = 0.01


async def pace(seconds: float) -> None:
    """Let a load or a fault go on for so long: the pause between two of its steps, or its length.

    Nothing may depend on this being long enough for something to have happened.
    """
    await asyncio.sleep(seconds)


async def consistently(
    probe: Callable[[], object],
    *,
    seconds: float | None = None,
    until: Callable[[], object] | None = None,
    timeout_seconds: float = 30.0,
) -> None:
    """Assert that something holds all the time: the counterpart of `eventually`.

    Args:
        probe: Returns, or awaits, something true as long as it holds; it may also assert.
        seconds: For how long it is to hold.
        until: Or up to which event, which is asked for after each look.
        timeout_seconds: How long `until` may take.

    Raises:
        AssertionError: It did not hold, or `until` did not come true.
    """
    assert (seconds is None) is not (until is None), "either for a time or up to an event"
    deadline = time.monotonic() + (timeout_seconds if seconds is None else seconds)
    while True:
        value = await _asked(probe)
        assert value, f"it did not hold: {value!r}"
        if until is not None and await _asked(until):
            return
        if time.monotonic() >= deadline:
            assert until is None, f"not within {timeout_seconds} s: what it was to hold until"
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _asked(probe: Callable[[], object]) -> object:
    answer = probe()
    return await answer if inspect.isawaitable(answer) else answer
