"""What a session costs in memory: the reason for forking hosts from one process."""

import asyncio

import pytest

from gateway_worker.sessions.hosting import OutgoingText
from gateway_worker.whatsapp.memory import pss_bytes
from tests.integration.whatsapp.stage import Account, Stage

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

HOSTS = 8
MESSAGES = 30
IDLE_MEBIBYTES = 24.0
"""Per session with its part of the fork server; 20 measured with eight hosts, 16 with twenty."""
BUSY_MEBIBYTES = 30.0


def mebibytes_each(stage: Stage, accounts: list[Account]) -> float:
    """Return what fork server and hosts use together, divided by the number of hosts."""
    server = stage.processes.fork_server_pid
    assert server is not None
    sizes = [pss_bytes(pid) for pid in (server, *(account.host.pid for account in accounts))]
    assert None not in sizes
    return sum(size or 0 for size in sizes) / len(accounts) / 2**20


async def test_hosts_share_their_memory(stage: Stage) -> None:
    """Idle after a resume and after messages in both directions, well below a process alone."""
    accounts = [await stage.linked() for _ in range(HOSTS)]
    for account in accounts:
        await account.stop()
    await asyncio.gather(*(account.resume() for account in accounts))

    idle = mebibytes_each(stage, accounts)

    async def write(place: int) -> None:
        other = accounts[(place + 1) % HOSTS]
        for number in range(MESSAGES):
            text = OutgoingText(to=other.phone.number, text=f"message {number}")
            await accounts[place].host.send_text(text)

    await asyncio.gather(*(write(place) for place in range(HOSTS)))
    busy = mebibytes_each(stage, accounts)
    for account in accounts:
        await account.stop()
    assert idle < IDLE_MEBIBYTES
    assert busy < BUSY_MEBIBYTES
