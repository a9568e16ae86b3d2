"""A running host is closed in, and tells of itself what nobody else can find out."""

from pathlib import Path

import pytest

from gateway_worker.runtime.memory import pss_bytes
from tests.integration.whatsapp.stage import Stage
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


def status(pid: int) -> dict[str, str]:
    """Return what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_a_host_has_given_up_what_it_does_not_need(stage: Stage) -> None:
    """It still pairs, sends and resumes; it has no capability and can get none."""
    account = await stage.linked()
    customer = await stage.customer()
    await account.host.request(send_text(to=customer.number, text="Hello"))
    found = status(account.host.pid)
    assert found["NoNewPrivs"] == "1"
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == 0
    assert found["Seccomp"] == "2", "it has no filter of system calls"
    assert stage.processes.notices["unconfined"] == 0
    await account.stop()
    await account.resume()
    await account.stop()


async def test_memory_is_told_where_it_may_not_be_looked_at(stage: Stage) -> None:
    """By the host and the fork server themselves; about what root sees, if root may look."""
    account = await stage.linked()
    server = stage.processes._servers.latest
    assert server is not None
    server.ask_memory()
    account.host.ask_memory()
    by_server = await eventually(lambda: server.told_bytes)
    by_host = await eventually(lambda: account.host.told_bytes)
    for pid, told in ((server.pid, by_server), (account.host.pid, by_host)):
        seen = pss_bytes(pid)
        assert told is not None
        assert told > 2**20
        assert seen is None or 0.5 < told / seen < 2
        assert stage.processes.pss_bytes(pid)
    assert stage.processes.measured_pids()[0] == server.pid
    await account.stop()
