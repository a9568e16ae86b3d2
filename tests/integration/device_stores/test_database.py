"""What only a database of device stores can do wrong: too many connections, or none at all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sessions.hosting import (
    HostExited,
    LinkEnded,
    LinkUp,
    OutgoingText,
    UndecryptableMessage,
)
from gateway_worker.storage.db.device_stores import APPLICATION_NAME
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.device_stores.kinds import Postgres
from tests.integration.device_stores.traffic import arrived, receive, shows, talk
from tests.integration.whatsapp.stage import Account, settings_for
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy
from tests.support.services import random_name

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

LIMIT = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(postgres: Postgres) -> AsyncIterator[TcpProxy]:
    """Stand between the hosts and the database."""
    async with TcpProxy.to(postgres.url) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hosts(
    sandbox: Sandbox, postgres: Postgres, proxy: TcpProxy
) -> AsyncIterator[HostProcesses]:
    """Open hosts with few connections, through the proxy."""

    async def source(session_id: str) -> str:
        return proxy.url(await postgres.stores.source(session_id))

    settings = settings_for(sandbox, device_store_connections=LIMIT)
    async with HostProcesses(settings, device_source=source) as processes:
        yield processes


@pytest_asyncio.fixture(loop_scope="module")
async def account(sandbox: Sandbox, hosts: HostProcesses, tmp_path: Path) -> AsyncIterator[Account]:
    """Link an account."""
    phone = await sandbox.add_phone(push_name="Anna")
    name = random_name()
    account = Account(name=name, directory=tmp_path / name, processes=hosts, phone=phone)
    await account.link()
    yield account
    await account.host.stop()


async def most_connections(url: str, stop: asyncio.Event) -> int:
    """Return how many connections hosts had at the same time."""
    connection: asyncpg.Connection = await asyncpg.connect(url)
    most = 0
    try:
        while not stop.is_set():
            count = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = $1",
                APPLICATION_NAME,
            )
            most = max(most, count)
            await asyncio.sleep(0.005)
    finally:
        await connection.close()
    return most


async def test_a_storm_needs_no_more_connections_than_are_allowed(
    sandbox: Sandbox, postgres: Postgres, account: Account
) -> None:
    """The library would open one for whatever runs at once; here it waits, and all arrives."""
    ben = await sandbox.add_phone(push_name="Ben")
    await talk(account, ben, "before", times=1)
    stop = asyncio.Event()
    counting = asyncio.create_task(most_connections(postgres.url, stop))

    async def sends() -> None:
        for number in range(60):
            await account.host.send_text(OutgoingText(to=ben.number, text=f"out {number}"))

    async def writes() -> list[str]:
        return await asyncio.gather(
            *(ben.send_text(account.phone.number, f"in {number}") for number in range(120))
        )

    _, written = await asyncio.gather(sends(), writes())
    for message_id in written:
        await arrived(account, message_id)
    for number in range(60):
        await eventually(partial(shows, ben, f"out {number}"), timeout_seconds=20)
    stop.set()
    # The server may still count one that is closing when the next one is open.
    assert 1 <= await counting <= LIMIT + 1


async def test_a_database_that_is_away_does_not_count_as_a_lost_device(
    account: Account, proxy: TcpProxy, hosts: HostProcesses, postgres: Postgres
) -> None:
    """A lost device has to be linked again; this one goes on when the database is back."""
    os.kill(account.host.pid, signal.SIGKILL)
    await account.next(HostExited)
    await proxy.refuse()
    await account.launch()
    assert (await account.next(LinkEnded)).reason == "store_unreachable"
    await account.next(HostExited)
    await proxy.accept()
    await account.resume()


async def test_a_database_that_goes_away_for_a_while_costs_nothing(
    sandbox: Sandbox, account: Account, proxy: TcpProxy
) -> None:
    """The connections are made anew."""
    ben = await sandbox.add_phone(push_name="Ben")
    await talk(account, ben, "before", times=1)
    await proxy.cut()
    await talk(account, ben, "after", times=3)


async def test_messages_stay_at_whatsapp_while_the_database_is_away(
    sandbox: Sandbox, account: Account, proxy: TcpProxy
) -> None:
    """The library would confirm and give up every one that it has no key for."""
    ben, cara = [await sandbox.add_phone(push_name=name) for name in ("Ben", "Cara")]
    await talk(account, ben, "before", times=1)
    await receive(account, cara, "before")
    stop = asyncio.Event()
    sent: list[str] = []

    async def write(phone: Phone) -> None:
        while not stop.is_set():
            sent.append(await phone.send_text(account.phone.number, f"{len(sent)}"))
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as writers:
        for phone in (ben, cara):
            writers.create_task(write(phone))
        await eventually(lambda: len(sent) > 20, reason="messages come")
        await proxy.refuse()
        await proxy.cut()
        assert (await account.next(LinkEnded)).reason == "store_unreachable"
        await account.next(HostExited)
        missed = len(sent)
        await eventually(lambda: len(sent) > missed + 20, reason="messages wait")
        stop.set()
    await account.launch()
    assert (await account.next(LinkEnded)).reason == "store_unreachable"
    await account.next(HostExited)
    await proxy.accept()
    await account.launch()

    await account.next(LinkUp)
    for message_id in sent:
        await arrived(account, message_id)
    assert not any(isinstance(event, UndecryptableMessage) for event in account.events)
