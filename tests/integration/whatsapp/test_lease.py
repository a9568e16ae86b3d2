"""The lease of the hosts: when it ends they end, by the fork server's hand."""

import asyncio
import os
import signal

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Stage, settings_for
from tests.integration.whatsapp.test_processes import alive
from tests.support.eventually import eventually
from tests.support.pacing import consistently, pace

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def test_a_lease_that_is_extended_kills_nothing(stage: Stage) -> None:
    """Nor does one that is switched off; one that ends does, and none is started before another."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        for _ in range(10):
            processes.extend_lease(1.0)
            await pace(0.2)
        processes.extend_lease(None)
        await consistently(lambda: alive(account.host.pid), seconds=1.2)

        processes.extend_lease(0.2)

        left = await account.next(Exited)
        assert (left.expected, left.detail) == (False, "it left")
        with pytest.raises(DependencyError, match="lease"):
            await account.launch()
        processes.extend_lease(60)
        await account.resume()
        await account.stop()


async def test_the_next_fork_server_has_the_lease_too(stage: Stage) -> None:
    """It was given to the one that died."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        processes.extend_lease(4)
        assert processes.fork_server_pid is not None
        os.kill(processes.fork_server_pid, signal.SIGKILL)
        await account.next(Exited)
        await account.resume()

        await account.next(Exited)

        with pytest.raises(DependencyError, match="lease"):
            await account.launch()


async def test_killing_all(stage: Stage) -> None:
    """Those that run and the one that is just being started; afterwards it goes on as before."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        accounts = [await stage.account() for _ in range(3)]
        for account in accounts:
            account.processes = processes
            await account.link()
        starting = await stage.account()
        starting.processes = processes
        launch = asyncio.create_task(starting.launch())
        await asyncio.sleep(0)
        pids = processes.host_pids

        processes.kill_all()

        await launch
        for account in (*accounts, starting):
            assert not (await account.next(Exited)).expected
        await eventually(lambda: not any(alive(pid) for pid in pids))
        await accounts[0].resume()
        await accounts[0].stop()


@pytest.mark.parametrize("seconds", [0.0, -3.0])
async def test_a_lease_that_is_over_when_it_comes(stage: Stage, seconds: float) -> None:
    """The database's answer took too long: that is an end, and no end to the switch."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()

        processes.extend_lease(seconds)

        assert not (await account.next(Exited)).expected
        with pytest.raises(DependencyError, match="lease"):
            await account.launch()
