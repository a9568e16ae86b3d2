"""Errands between two commands of a session do not outlive those who have asked for them."""

import asyncio
from contextlib import suppress
from typing import Any, cast

from gateway_worker.commands.dispatcher import Dispatcher


def _dispatcher() -> Dispatcher:
    nobody = cast("Any", None)
    return Dispatcher(worker_id="me", manager=nobody, executor=nobody, forwarder=nobody)


async def test_an_errand_that_nobody_waits_for_any_more_never_begins() -> None:
    """What it was for is over; one that has begun comes to its end."""
    dispatcher = _dispatcher()
    done: list[str] = []
    release = asyncio.Event()

    async def first() -> None:
        await release.wait()
        done.append("first")

    async def second() -> None:
        done.append("second")

    waits = [
        asyncio.create_task(dispatcher.after_current_command("shop", errand))
        for errand in (first, second)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for wait in waits:
        wait.cancel()
        with suppress(asyncio.CancelledError):
            await wait
    release.set()
    stop = asyncio.Event()
    stop.set()
    await dispatcher.run(stop)

    assert done == ["first"]
