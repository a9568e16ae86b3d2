"""What a session costs in memory: the reason for forking hosts from one process."""

import asyncio

import pytest

from tests.integration.whatsapp.stage import Account, Stage
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

HOSTS = 8
MESSAGES = 30
IDLE_MEBIBYTES = 24.0
"""Per session with its part of the fork server; 20 measured with eight hosts, 16 with twenty."""
BUSY_MEBIBYTES = 30.0


async def mebibytes_each(stage: Stage, accounts: list[Account]) -> float:
    """Return what fork server and hosts use together, divided by the number of hosts.

    Where this process may not look into them, as in a container, they tell it themselves.
    """
    server = stage.processes._servers.latest
    assert server is not None
    server.told_bytes = None
    for account in accounts:
        account.host.told_bytes = None
    pids = [server.pid, *(account.host.pid for account in accounts)]
    assert set(pids) <= set(stage.processes.measured_pids())

    def sizes() -> list[int]:
        found = [stage.processes.pss_bytes(pid) for pid in pids]
        assert None not in found
        return [size or 0 for size in found]

    return sum(await eventually(sizes)) / len(accounts) / 2**20


async def test_hosts_share_their_memory(stage: Stage) -> None:
    """Idle after a resume and after messages in both directions, well below a process alone."""
    accounts = [await stage.linked() for _ in range(HOSTS)]
    for account in accounts:
        await account.stop()
    await asyncio.gather(*(account.resume() for account in accounts))

    idle = await mebibytes_each(stage, accounts)

    async def write(place: int) -> None:
        other = accounts[(place + 1) % HOSTS]
        for number in range(MESSAGES):
            text = send_text(to=other.phone.number, text=f"message {number}")
            await accounts[place].host.request(text)

    await asyncio.gather(*(write(place) for place in range(HOSTS)))
    busy = await mebibytes_each(stage, accounts)
    for account in accounts:
        await account.stop()
    assert idle < IDLE_MEBIBYTES
    assert busy < BUSY_MEBIBYTES
