"""Workers and their disks: what belongs to one is not touched by another."""

import shutil
from pathlib import Path

import pytest

from gateway_contracts import SessionState
from gateway_worker.devkit.services.errors import ServiceStartError
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import ADA, SHOP, WORKER, open_gateway, open_worker


async def test_a_second_worker_on_the_same_disk_is_refused(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """And so is the first one on an empty disk: no account is lost, and each is told what to do."""
    settings = {**environment, "SNAPSHOT_KEYS": ""}
    async with open_gateway(sandbox, settings, tmp_path / "one") as gateway:
        await gateway.link("shop", await sandbox.add_phone(SHOP))
        await sandbox.add_phone(ADA)
        same = {**gateway.environment, "DATA_DIR": str(gateway.worker.data_dir)}
        async with open_worker(same, tmp_path / "two", name="second") as second:
            with pytest.raises(ServiceStartError, match=f"in use by the worker {WORKER}"):
                await second.start()
        await gateway.send("shop", ADA, "still here")

        await gateway.worker.kill()
        shutil.move(gateway.worker.data_dir, tmp_path / "kept")
        with pytest.raises(ServiceStartError, match="it ran on another disk"):
            await gateway.worker.start()
        shutil.rmtree(gateway.worker.data_dir)
        shutil.move(tmp_path / "kept", gateway.worker.data_dir)
        before = len(gateway.backend.arrivals)
        await gateway.worker.start()
        await gateway.until("shop", SessionState.CONNECTED, after=before)
        await gateway.send("shop", ADA, "and still")
