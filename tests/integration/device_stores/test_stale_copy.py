"""A copy that is older than the last messages: the keys in it were used already.

A worker died before it made the next copy, and the one that takes over begins where the copy was.
The phone cannot read what it sends under a used key, and it cannot read what the phone sends under
a key that the copy knows nothing of; each side asks the other again, and everything arrives.
"""

import os
import signal
from functools import partial

import pytest

from gateway_worker.host_protocol.signals import Exited, QrCode
from gateway_worker.sandbox.phones.phone import Phone
from tests.integration.device_stores.conftest import Devices
from tests.integration.device_stores.traffic import arrived, shows, talk, texts
from tests.integration.whatsapp.stage import Account
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

AFTERWARDS = 10


async def sends(account: Account, to: Phone) -> None:
    """Send texts, each when the one before is acknowledged."""
    for number in range(AFTERWARDS):
        await account.host.request(send_text(to=to.number, text=f"after out {number}"))


async def writes(by: Phone, account: Account) -> list[str]:
    """Have texts sent; returns their ids."""
    number = account.phone.number
    return [await by.send_text(number, f"after in {one}") for one in range(AFTERWARDS)]


@pytest.mark.parametrize("exchanged", [3, 40])
@pytest.mark.parametrize("first", ["out", "in"])
@pytest.mark.parametrize("whom", ["friend", "stranger"])
async def test_everything_arrives_although_keys_are_used_twice(
    devices: Devices, exchanged: int, first: str, whom: str
) -> None:
    """Once each, whoever speaks first, and also with somebody of whom the copy knows nothing."""
    account, ben = await devices.linked(), await devices.customer()
    await talk(account, ben, "before")
    await devices.stores.secure(account.name, account.directory, epoch=1)
    other = ben if whom == "friend" else await devices.customer("Cara")
    await talk(account, other, "since", times=exchanged)
    os.kill(account.host.pid, signal.SIGKILL)
    await account.next(Exited)
    missed = [await other.send_text(account.phone.number, f"missed {one}") for one in range(3)]
    account.directory = account.directory.with_name(f"{account.directory.name}-b")
    await devices.stores.take_over(account.name, account.directory)
    await account.resume()

    if first == "out":
        await sends(account, other)
        written = await writes(other, account)
    else:
        written = await writes(other, account)
        await sends(account, other)

    for message_id in missed + written:
        await arrived(account, message_id)
    for number in range(AFTERWARDS):
        text = f"after out {number}"
        await eventually(partial(shows, other, text), reason="the phone shows it")
    assert len(texts(other)) == len(set(texts(other)))
    assert sum(isinstance(event, QrCode) for event in account.events) == 1
    await account.stop()
