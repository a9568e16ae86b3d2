"""The waits of a start end when the worker is told to stop."""

import asyncio

import pytest

from gateway_worker.runtime.starting import StoppedError, unless_stopped


async def test_a_step_returns_what_it_returns() -> None:
    """Nobody wants a stop."""

    async def step() -> str:
        return "done"

    assert await unless_stopped(asyncio.Event(), step()) == "done"


async def test_a_step_fails_as_it_fails() -> None:
    """The cause is not lost."""

    async def step() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await unless_stopped(asyncio.Event(), step())


@pytest.mark.parametrize("before", [True, False])
async def test_a_step_that_waits_is_cancelled(before: bool) -> None:  # noqa: FBT001
    """Whether the stop was there before it or comes while it waits."""
    stop = asyncio.Event()
    ended = asyncio.Event()

    async def step() -> None:
        asyncio.get_running_loop().call_soon(stop.set)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    if before:
        stop.set()
    with pytest.raises(StoppedError):
        await unless_stopped(stop, step())
    assert ended.is_set() or before


async def test_a_step_that_cannot_be_cancelled_is_left_behind() -> None:
    """Nobody waits for it any more, nor for what it fails with."""
    stop = asyncio.Event()
    stop.set()
    release = asyncio.Event()

    async def step() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("nobody hears this")

    with pytest.raises(StoppedError):
        await unless_stopped(stop, step())
    release.set()
    await asyncio.sleep(0)
