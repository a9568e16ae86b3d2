"""A loop in a thread of its own, as a service."""

import asyncio
import threading

import pytest

from gateway_worker.errors import GatewayError
from gateway_worker.health.thread import LoopThread


async def test_it_runs_elsewhere_until_stopped() -> None:
    """The coroutine has another thread and ends before `run` returns."""
    threads: list[int] = []
    running = threading.Event()

    async def main(stop: asyncio.Event) -> None:
        threads.append(threading.get_ident())
        running.set()
        await stop.wait()
        threads.append(0)

    stop = asyncio.Event()
    task = asyncio.create_task(LoopThread(main=main, name="aside").run(stop))
    await asyncio.to_thread(running.wait)
    stop.set()
    await task

    assert threads[0] != threading.get_ident()
    assert threads[1] == 0
    assert "aside" not in {thread.name for thread in threading.enumerate()}


async def test_its_failure_is_raised() -> None:
    """What fails in the thread fails the service."""

    async def main(_stop: asyncio.Event) -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        await LoopThread(main=main, name="aside").run(asyncio.Event())


async def test_returning_early_is_a_failure() -> None:
    """A sidecar that has silently gone would let the worker be killed for it."""

    async def main(_stop: asyncio.Event) -> None:
        pass

    with pytest.raises(GatewayError, match="aside ended too early"):
        await LoopThread(main=main, name="aside").run(asyncio.Event())


async def test_stopping_at_once_works() -> None:
    """A worker that is told to stop while it starts does not hang."""

    async def main(stop: asyncio.Event) -> None:
        await stop.wait()

    stop = asyncio.Event()
    stop.set()

    await LoopThread(main=main, name="aside").run(stop)
