"""Keeps one set of services running for other processes, until told to stop or left alone.

Two ways to be used: `./dev services up` runs it in the background on the data directory until
`./dev services down`; the test suite runs it on a throw-away directory and holds a *lease*, a
connection to its Unix socket, per test process. When the last lease is gone, however its holder
ended, the services end as well.
"""

import asyncio
import os
import shutil
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from gateway_worker.devkit.services import state
from gateway_worker.devkit.services.errors import ServicesError
from gateway_worker.devkit.services.launcher import LaunchOptions, local_services
from gateway_worker.devkit.services.leases import Leases

SOCKET = "leases.sock"
IDLE_GRACE_SECONDS = 1.0  # a test process that ends may overlap badly with the one that begins
FIRST_LEASE_SECONDS = 30.0


async def keep_running(options: LaunchOptions, *, stop: asyncio.Event) -> None:
    """Run services on a data directory until `stop` is set; publish where they are."""
    directory = options.data_directory
    assert directory is not None
    async with local_services(options) as services:
        published = state.State(
            pid=os.getpid(),
            sources={handle.name: handle.source.value for handle in services},
            services=services.addresses,
        )
        state.publish(directory, published)
        try:
            await stop.wait()
        finally:
            state.withdraw(directory)


async def serve_leases(options: LaunchOptions, *, directory: Path, stop: asyncio.Event) -> None:
    """Run services for as long as anybody holds a connection to the socket, or until `stop`.

    The socket appears in `directory`, which is removed in the end.

    Raises:
        ServicesError: the services did not start; the clients that waited have been told why.
    """
    leases = Leases()
    async with AsyncExitStack() as stack:
        stack.enter_context(state.exclusive(directory))  # so that a sweep leaves it alone
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = await asyncio.start_unix_server(leases.accept, path=directory / SOCKET)
        stack.callback(server.close)
        unused = leases.none_left(
            grace_seconds=IDLE_GRACE_SECONDS, first_within_seconds=FIRST_LEASE_SECONDS
        )
        try:
            services = await stack.enter_async_context(local_services(options))
        except ServicesError as error:
            leases.fail(error)
            await _first_of(unused, stop.wait())
            raise
        leases.succeed(services)
        await _first_of(unused, stop.wait())


async def _first_of(*ways: Coroutine[Any, Any, Any]) -> None:
    """Wait for one of them and cancel the others."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
