"""What a device store owes a session."""

import asyncio
import os
import signal
from functools import partial

import pytest

from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods.session import Logout
from gateway_worker.host_protocol.signals import Ended, Exited, QrCode, Up
from gateway_worker.sessions.store.store_files import forget_local
from tests.integration.device_stores.conftest import Devices
from tests.integration.device_stores.traffic import arrived, receive, send, shows, talk, texts
from tests.integration.whatsapp.stage import Account
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


def asked_for_a_scan(account: Account) -> int:
    """Return how often a QR code was shown."""
    return sum(isinstance(event, QrCode) for event in account.events)


async def kill(account: Account) -> None:
    """Kill the host as nothing can prevent."""
    os.kill(account.host.pid, signal.SIGKILL)
    await account.next(Exited)


async def test_a_device_is_resumed(devices: Devices) -> None:
    """After a stop and after a kill, without a scan; messages go both ways each time."""
    account, ben = await devices.linked(), await devices.customer()
    await talk(account, ben, "linked")
    await account.stop()
    await account.resume()
    await talk(account, ben, "resumed")
    await kill(account)
    await account.resume()
    await talk(account, ben, "again")
    assert asked_for_a_scan(account) == 1
    assert list(ben.handling_errors) == []
    await account.stop()


async def test_a_kill_during_traffic_costs_no_session(devices: Devices) -> None:
    """What was acknowledged has arrived once, what was sent while the host was away comes.

    Two people, because the library may use a key twice when it sends to somebody whose message it
    takes in at that moment; then the phone asks again, and a host that was killed has no answer.
    """
    account, ben = await devices.linked(), await devices.customer()
    cara = await devices.customer("Cara")
    await talk(account, ben, "before", times=1)
    await talk(account, cara, "before", times=1)
    sent: list[str] = []

    async def chatter(turn: int) -> None:
        for number in range(1000):
            text = f"out {turn} {number}"
            await account.host.request(send_text(to=ben.number, text=text))
            sent.append(text)

    for turn in range(3):
        talking = asyncio.create_task(chatter(turn))
        writing = asyncio.gather(
            *(cara.send_text(account.phone.number, f"in {number}") for number in range(20))
        )
        await eventually(partial(shows, ben, f"out {turn} {3 + 7 * turn}"), reason="it is shown")
        await writing
        await kill(account)
        with pytest.raises(GatewayError):
            await talking
        away = [await cara.send_text(account.phone.number, f"away {n}") for n in range(5)]
        await account.launch()
        for message in away:
            await arrived(account, message)
        await talk(account, cara, f"after {turn}", times=1)

    shown = texts(ben)
    assert len(sent) >= 3 * 3
    assert {text: shown.count(text) for text in sent} == dict.fromkeys(sent, 1)
    assert asked_for_a_scan(account) == 1
    await account.stop()


async def test_a_device_moves_to_another_worker(devices: Devices) -> None:
    """And back, without a scan; each time it goes on where it was."""
    account, ben = await devices.linked(), await devices.customer()
    home = account.directory
    await talk(account, ben, "at home")
    for epoch, directory in enumerate([home.with_name(f"{home.name}-b"), home], start=1):
        await account.stop()
        await devices.stores.secure(account.name, account.directory, epoch=epoch)
        if epoch == 2:  # the first one forgets at the handover; the second has crashed
            assert await asyncio.to_thread(forget_local, home)
        missed = await ben.send_text(account.phone.number, f"on the way {epoch}")
        account.directory = directory
        await devices.stores.take_over(account.name, directory)
        await account.resume()
        await arrived(account, missed)
        await talk(account, ben, f"moved {epoch}")
    assert asked_for_a_scan(account) == 1
    await account.stop()


async def test_a_device_linked_just_before_a_crash_is_taken_up(devices: Devices) -> None:
    """The worker knows of none; of two sessions that are in this state each finds its own."""
    pair = [await devices.account(name=name) for name in ("Anna", "Carl")]
    for account in pair:
        await account.link()
        await kill(account)
    jids = [account.jid for account in pair]
    for account in pair:
        account.jid = None  # its answer got lost
        await account.launch()
        assert (await account.next(Up)).account.jid in jids
    ben = await devices.customer()
    for account, jid in zip(pair, jids, strict=True):
        assert asked_for_a_scan(account) == 1
        account.jid = jid
        await send(account, ben, f"of {jid}")
        await receive(account, ben, f"to {jid}")
        await account.stop()


async def test_a_device_that_is_not_there_is_told(devices: Devices) -> None:
    """Naming it to the library would end the process; so would another session's device."""
    other, account = await devices.linked(), await devices.account()
    account.jid = other.jid
    await account.launch()
    assert (await account.next(Ended)).reason == "store_lost"
    await account.next(Exited)
    await talk(other, await devices.customer(), "undisturbed", times=1)
    await other.stop()


async def test_a_deleted_device_leaves_nothing(devices: Devices) -> None:
    """Those of other sessions stay."""
    account, other = await devices.linked(), await devices.linked()
    ben = await devices.customer()
    await talk(account, ben, "hello", times=1)
    await account.host.request(Logout())
    await account.next(Exited)
    await devices.stores.secure(other.name, other.directory, epoch=1)
    await devices.stores.delete(account.name, account.directory)
    assert await devices.stores.traces(account.name, account.directory) == []
    assert await devices.stores.traces(other.name, other.directory) != []
    await talk(other, ben, "still here", times=1)
    await other.stop()
    await devices.stores.delete(other.name, other.directory)
    await devices.stores.delete(other.name, other.directory)
