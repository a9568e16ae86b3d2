"""Errands between two commands of a session do not outlive those who have asked for them."""

import asyncio
from contextlib import suppress
from pathlib import Path

from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.dispatcher import Dispatcher
from gateway_worker.commands.execution import Executor
from gateway_worker.commands.forwarding import Forwarder
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.inbox import Inbox
from gateway_worker.sessions.ownership.manager import SessionManager
from tests.support.ports import (
    UnaskedInbox,
    UnaskedPeerMessages,
    UnaskedPublisher,
    UnaskedRecorder,
    surroundings,
)


def _dispatcher(directory: Path) -> Dispatcher:
    recorder = UnaskedRecorder()
    around = surroundings(recorder, worker_id="me", directory=directory)
    manager = SessionManager(around=around, capacity=1, peer_messages=UnaskedPeerMessages())
    attempts = Attempts(
        worker_id="me",
        manager=manager,
        inbox=Inbox(store=UnaskedInbox()),
        postponer=UnaskedPublisher(),
        clock=around.clock,
    )
    executor = Executor(
        worker_id="me",
        context=Context(manager=manager, messages=around.messages),
        attempts=attempts,
        recorder=recorder,
    )
    forwarder = Forwarder(publisher=UnaskedPublisher())
    return Dispatcher(worker_id="me", manager=manager, executor=executor, forwarder=forwarder)


async def test_an_errand_that_nobody_waits_for_any_more_never_begins(tmp_path: Path) -> None:
    """What it was for is over; one that has begun comes to its end."""
    dispatcher = _dispatcher(tmp_path)
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
