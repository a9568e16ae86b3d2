"""Errands between two commands of a session do not outlive those who have asked for them."""

import asyncio
from contextlib import suppress
from pathlib import Path

from gateway_worker.commands.build import CommandPorts, build_commands
from gateway_worker.commands.dispatcher import Dispatcher
from tests.support.ports import (
    UnaskedBulks,
    UnaskedDeferred,
    UnaskedInbox,
    UnaskedMessages,
    UnaskedPublisher,
    UnaskedRecorder,
    session_ports,
    sessions_on,
)


def _dispatcher(directory: Path) -> Dispatcher:
    recorder = UnaskedRecorder()
    sessions = sessions_on(session_ports(recorder), worker_id="me", directory=directory)
    publisher = UnaskedPublisher()
    ports = CommandPorts(
        entries=UnaskedInbox(),
        deferred=UnaskedDeferred(),
        bulks=UnaskedBulks(),
        messages=UnaskedMessages(),
        recorder=recorder,
        postponer=publisher,
        forwarder=publisher,
    )
    commands = build_commands(ports, worker_id="me", manager=sessions.manager, clock=sessions.clock)
    return commands.dispatcher


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
        asyncio.create_task(dispatcher.after_current_command("shop", job))
        for job in (first, second)
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
