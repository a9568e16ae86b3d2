"""What another process of the worker's user can find out about it and its hosts."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.harness import ADA, SHOP, Gateway
from tests.support.eventually import eventually

LOOK = """
import sys
from gateway_worker.runtime.confinement import drop_capabilities
drop_capabilities()  # root is a user like any other then
for pid in sys.argv[1:]:
    for name in ("environ", "maps", "mem"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
        except PermissionError:
            continue
        print(pid, name)
"""


def told(pid: int, name: str) -> str:
    """Return what the kernel tells of a process; nothing if not even this user may know."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except PermissionError:
        return ""


async def test_nobody_looks_into_a_worker_or_its_hosts(gateway: Gateway) -> None:
    """Its secrets are not even there for root to see; its figures are there for everybody."""
    await gateway.link("shop", await gateway.sandbox.add_phone(SHOP))
    await gateway.sandbox.add_phone(ADA)
    await gateway.send("shop", ADA, "Hello")
    worker = gateway.worker.process
    processes = [worker, *gateway.worker.zygotes(), *gateway.worker.hosts()]
    assert len(processes) == 3

    # The others have root's capabilities in a test, so nobody without them could look anyway.
    looking = [sys.executable, "-c", LOOK, *(str(one.pid) for one in gateway.worker.hosts())]
    found = subprocess.run(looking, check=True, capture_output=True, text=True)  # noqa: ASYNC221
    assert found.stdout == ""
    for one in processes:
        environment = told(one.pid, "environ")
        for name in ("AMQP_URL", "DATABASE_URL", "S3_SECRET_ACCESS_KEY", "SNAPSHOT_KEYS"):
            secret = gateway.environment[name].rpartition("//")[2]
            assert secret not in environment, name
        limits = told(one.pid, "limits")
        (core,) = [line.split()[4:6] for line in limits.splitlines() if "core file" in line]
        assert core == ["0", "0"]

    async def hosts_bytes() -> int:
        health = await gateway.worker.health()
        return int(health["resources"]["hosts_pss_bytes"])

    assert await eventually(hosts_bytes, timeout_seconds=30) > 2**20
