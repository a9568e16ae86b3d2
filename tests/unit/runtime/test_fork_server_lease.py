"""A fork server that stands still when the lease ends takes its processes with it."""

import asyncio
import os
import select
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import gateway_worker
from gateway_worker.runtime.forking.client import ForkedProcess, ForkServer, Program
from gateway_worker.runtime.lease_clock import lease_time
from tests.support.eventually import eventually
from tests.support.pacing import consistently

WAITING = """
import signal, sys
from gateway_worker.runtime.forking.server import begin, serve

def run(_sock):
    while True:
        signal.pause()

serve(begin(sys.argv[1:], name="wa-waiting"), run)
"""
STUBBORN = WAITING.replace(
    "    while", "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while"
)
START_SECONDS = 60.0
SPARE_SECONDS = 4.0
"""For how long a machine may be busy before what has to be killed is."""


@asynccontextmanager
async def fork_server(code: str = WAITING) -> AsyncIterator[ForkServer]:
    """Run a fork server whose processes wait for signals."""
    server = await ForkServer.start(
        Program(
            name="processes",
            words=("-c", code),
            environment={"PYTHONPATH": str(Path(gateway_worker.__file__).parents[1])},
            start_seconds=START_SECONDS,
            fork_seconds=START_SECONDS,
        )
    )
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def forked(server: ForkServer) -> AsyncIterator[ForkedProcess]:
    """Fork a process."""
    process = await server.fork()
    try:
        yield process
    finally:
        os.close(process.pidfd)
        process.socket.close()


def is_gone(process: ForkedProcess) -> bool:
    """Whether it has ended, waited for or not."""
    return bool(select.select([process.pidfd], [], [], 0)[0])


async def read_by(server: ForkServer) -> None:
    """Return when it has read what it was told."""
    server.told_bytes = None
    server.ask_memory()
    await eventually(lambda: server.told_bytes is not None, timeout_seconds=START_SECONDS)


async def test_processes_that_are_stopped_with_it_never_run_again() -> None:
    """Nobody continues them, or it: the lease's end is theirs all the same."""
    async with fork_server(STUBBORN) as server, forked(server) as process:
        server.extend_lease(lease_time() + 0.3)
        await read_by(server)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process.pidfd, signal.SIGSTOP)
            os.kill(server.pid, signal.SIGSTOP)

        await eventually(lambda: is_gone(process), timeout_seconds=START_SECONDS)


async def test_it_outlives_a_lease_whose_end_it_has_seen_to() -> None:
    """One with nothing to kill, with something to kill, and without end; and forks for the next."""
    async with AsyncExitStack() as stack:
        idle, busy, free = servers = await asyncio.gather(
            *(stack.enter_async_context(fork_server()) for _ in range(3))
        )
        process = await stack.enter_async_context(forked(busy))
        for server in (idle, busy):
            server.extend_lease(lease_time(), spare_seconds=SPARE_SECONDS)
        free.extend_lease(lease_time() + 0.1)
        free.extend_lease(None)

        await eventually(lambda: is_gone(process), timeout_seconds=START_SECONDS)
        await consistently(
            lambda: all(server.alive for server in servers),
            seconds=SPARE_SECONDS + 0.5,
        )
        for server in servers:
            server.extend_lease(lease_time() + 3600, spare_seconds=SPARE_SECONDS)
            await stack.enter_async_context(forked(server))
