"""A disk that takes nothing more: no message is given up, and none is called sent that was not."""

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from gateway_worker.errors import SessionNotConnectedError
from gateway_worker.host_protocol.signals import Ended, Exited
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.device_stores.traffic import arrived, send, talk, texts
from tests.integration.whatsapp.stage import Account, settings_for
from tests.support.arrivals import UndecryptableMessage
from tests.support.calls import send_text
from tests.support.disks import full_disk
from tests.support.pacing import consistently
from tests.support.services import random_name

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hosts(sandbox: Sandbox) -> AsyncIterator[HostProcesses]:
    """Open hosts with files."""
    async with HostProcesses(settings_for(sandbox)) as processes:
        yield processes


@pytest_asyncio.fixture(loop_scope="module")
async def account(sandbox: Sandbox, hosts: HostProcesses, tmp_path: Path) -> AsyncIterator[Account]:
    """Link an account."""
    account = Account(
        name=random_name(),
        directory=tmp_path / "session",
        processes=hosts,
        phone=await sandbox.add_phone(push_name="Anna"),
    )
    await account.link()
    yield account
    await account.stop()


def host_of(account: Account) -> list[psutil.Process]:
    """Return the account's host, if it still runs."""
    pid = account.host.pid
    return [psutil.Process(pid)] if psutil.pid_exists(pid) else []


async def test_messages_stay_at_whatsapp(sandbox: Sandbox, account: Account) -> None:
    """The library would confirm and give up each one whose key it cannot store."""
    ben, cara = [await sandbox.add_phone(push_name=name) for name in ("Ben", "Cara")]
    await talk(account, ben, "before", times=1)
    with full_disk(lambda: host_of(account)):
        sent = [
            await phone.send_text(account.phone.number, f"{number}")
            for number in range(8)
            for phone in (ben, cara)
        ]
        assert (await account.next(Ended)).reason == "store_unreachable"
        await account.next(Exited)

    await account.resume()

    for message_id in sent:
        await arrived(account, message_id)
    assert not any(isinstance(event, UndecryptableMessage) for event in account.events)


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_cannot_be_encrypted_is_not_called_sent(
    sandbox: Sandbox, account: Account, *, is_known: bool
) -> None:
    """The library would send it without those whose keys it cannot store."""
    ben = await sandbox.add_phone(push_name="Ben")
    if is_known:
        await talk(account, ben, "before", times=1)
    shown = texts(ben)
    with full_disk(lambda: host_of(account)):
        with pytest.raises(SessionNotConnectedError):
            await account.host.request(send_text(to=ben.number, text="too early"))
        await consistently(lambda: texts(ben) == shown, seconds=0.5)
    assert texts(ben) == shown
    if account.host.finished:
        await account.resume()

    await send(account, ben, "now")

    assert texts(ben) == [*shown, "now"]
