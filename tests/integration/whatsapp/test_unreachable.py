"""WhatsApp is unavailable for longer than a host waits: it leaves, and another one goes on."""

import asyncio

import pytest

from gateway_worker.host_protocol.signals import Down, Ended, Exited, Up
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Stage, settings_for
from tests.support.calls import send_text
from tests.support.pacing import consistently

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

PATIENCE_SECONDS = 0.4


async def test_a_host_leaves_and_says_why(stage: Stage) -> None:
    """The device stays linked: the next host resumes it."""
    settings = settings_for(stage.sandbox, unreachable_seconds=PATIENCE_SECONDS)
    async with HostProcesses(settings) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        pid = account.host.pid
        await stage.sandbox.service_down()
        try:
            await account.next(Down)
            assert (await account.next(Ended)).reason == "unreachable"
            assert (await account.next(Exited)).detail == "it left"
        finally:
            await stage.sandbox.service_up()

        await account.resume()

        assert account.host.pid != pid
        await account.stop()


async def test_a_host_whose_connection_comes_back_in_time_stays(stage: Stage) -> None:
    """Also for longer than it would have waited."""
    settings = settings_for(stage.sandbox, unreachable_seconds=PATIENCE_SECONDS)
    async with HostProcesses(settings) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        stage.sandbox.connections.drop(account.phone.number)
        await account.next(Down)
        await account.next(Up)
        await consistently(
            lambda: not [event for event in account.events if isinstance(event, Ended)],
            seconds=2 * PATIENCE_SECONDS,
        )
        await account.stop()


async def test_a_send_that_is_under_way_is_not_given_up(stage: Stage) -> None:
    """An idle host leaves; the one that sends stays, and has its answer from the same process."""
    settings = settings_for(stage.sandbox, unreachable_seconds=PATIENCE_SECONDS)
    async with HostProcesses(settings) as processes:
        busy, idle = await stage.account(), await stage.account()
        for account in (busy, idle):
            account.processes = processes
            await account.link()
        ben = await stage.customer()
        await busy.host.request(send_text(to=ben.number, text="first"))
        pid = busy.host.pid
        stage.sandbox.faults.set(busy.phone.number, Faults(missing_acks=1))
        sending = asyncio.create_task(busy.host.request(send_text(to=ben.number, text="second")))
        await ben.inbox.wait_for(lambda message: message.text == "second", timeout=30)
        await stage.sandbox.service_down()
        try:
            await idle.next(Ended)
            await consistently(
                lambda: not [event for event in busy.events if isinstance(event, Ended)],
                seconds=PATIENCE_SECONDS,
            )
        finally:
            await stage.sandbox.service_up()

        await sending

        assert busy.host.pid == pid
        await busy.stop()
