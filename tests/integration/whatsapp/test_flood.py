"""Many messages at once: their order, the brake, and hosts that are killed in the middle."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.whatsapp.host.spool import Spool
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.arrivals import InboundMessage
from tests.support.calls import send_text
from tests.support.eventually import eventually
from tests.unit.whatsapp.library_messages import events

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

MESSAGE_CODE = 17
LIBRARY_QUEUE = 100
"""Events that the library holds between decrypting them and calling Python."""


async def write(phone: Phone, to: Account, count: int) -> list[str]:
    """Write so many messages one after the other and return their ids."""
    return [await phone.send_text(to.phone.number, f"{number}") for number in range(count)]


def spooled(directory: Path) -> list[str]:
    """Return the ids of the messages that a dead host has left on the disk, in order."""
    spool = Spool.open(directory=directory, limit_bytes=10**9, segment_bytes=10**6, sync=False)
    records = list(iter(spool.read, None))
    spool.close()
    return [
        events.Message.FromString(record.payload).Info.ID
        for record in records
        if record.code == MESSAGE_CODE
    ]


def without_repeats(ids: list[str]) -> list[str]:
    """Keep the first of each, as a consumer does."""
    return list(dict.fromkeys(ids))


def spool_bytes(directory: Path) -> int:
    """Return the size of a spool's files."""
    return sum(path.stat().st_size for path in directory.glob("spool-*"))


def _native_library_is_loaded() -> bool:
    return "neonize-" in Path("/proc/self/maps").read_text()


async def test_two_hundred_messages_keep_their_order(stage: Stage, shop: Account) -> None:
    """Each once, with rising record numbers; and the worker still has no library in it."""
    ben = await stage.customer()

    ids = await write(ben, shop, 200)

    await shop.next(InboundMessage, lambda message: message.message_id == ids[-1])
    arrived = [one for one in shop.messages() if one.sender.phone_number == f"+{ben.number}"]
    assert [message.message_id for message in arrived] == ids
    records = [message.record for message in arrived]
    assert records == sorted(set(records))
    assert "neonize" not in sys.modules
    assert not _native_library_is_loaded()


async def test_hosts_killed_in_a_flood_lose_nothing_that_they_had(stage: Stage) -> None:
    """Killed three times while messages pour in: what was on the disk comes first, in order."""
    account = await stage.linked()
    ben = await stage.customer()
    flood = asyncio.create_task(write(ben, account, 400))
    lost_at_most = 0

    for told in (40, 120, 200):
        account.acknowledging = told != 120  # the second time with a disk full of unknown ones
        await account.until_told(told)
        before = [message.message_id for message in account.messages()]
        os.kill(account.host.pid, signal.SIGKILL)
        await account.next(Exited)
        told_until_death = len(account.messages())
        kept = spooled(account.directory)
        account.acknowledging = True
        await account.launch()

        complete = told_until_death + len(kept)
        await account.until_told(complete)
        replayed = [message.message_id for message in account.messages()[told_until_death:]]
        assert replayed[: len(kept)] == kept
        everything = {message.message_id for message in account.messages()}
        assert set(before) <= everything
        lost_at_most += LIBRARY_QUEUE + 2
    ids = await flood
    await eventually(
        lambda: account.messages()[-1].message_id == ids[-1], timeout_seconds=30, reason="the last"
    )

    arrived = without_repeats([message.message_id for message in account.messages()])
    missing = set(ids) - set(arrived)
    assert arrived == [one for one in ids if one not in missing]
    assert len(missing) <= lost_at_most
    await account.stop()


async def test_a_full_spool_is_a_brake_and_no_drop(stage: Stage) -> None:
    """While the worker takes nothing the disk fills to its limit; the rest stays at WhatsApp."""
    limit = 4_000
    settings = settings_for(
        stage.sandbox, spool_limit_bytes=limit, spool_segment_bytes=1_000, in_flight=5
    )
    async with HostProcesses(settings) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        account.acknowledging = False
        ben = await stage.customer()

        ids = await write(ben, account, 250)

        number = account.phone.number
        await eventually(
            lambda: (
                0 < stage.sandbox.connections.links(number)[0].pending < len(ids) - LIBRARY_QUEUE
            ),
            reason="the library has taken what it can hold",
        )
        assert len(account.messages()) == 5
        assert spool_bytes(account.directory) < limit + 2_000
        await account.host.request(send_text(to=ben.number, text="sending goes on"))
        account.acknowledging = True
        account.acknowledge()
        await account.next(InboundMessage, lambda message: message.message_id == ids[-1])

        assert [message.message_id for message in account.messages()] == ids
        assert spool_bytes(account.directory) < limit + 2_000
        await account.stop()


async def test_a_host_that_leaves_with_a_full_spool_stores_what_it_has(stage: Stage) -> None:
    """What the library has confirmed already is told once, so it is stored above the limit."""
    settings = settings_for(
        stage.sandbox, spool_limit_bytes=2_000, spool_segment_bytes=1_000, in_flight=2
    )
    async with HostProcesses(settings) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        account.acknowledging = False
        ben = await stage.customer()
        ids = await write(ben, account, 60)
        number = account.phone.number
        await eventually(
            lambda: not stage.sandbox.connections.links(number)[0].pending,
            reason="the library has confirmed all of them",
        )
        assert spool_bytes(account.directory) < 4_000

        await account.stop()

        assert spooled(account.directory) == ids
