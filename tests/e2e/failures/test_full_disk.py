"""The disk with the sessions' directories takes nothing more for a while."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from gateway_worker.devkit.worker import WorkerProcess
from tests.e2e.failures.stage import LiveWatch, Stage, complaints
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOM_BYTES = 16 * 1024
UNLIMITED = psutil.RLIM_INFINITY


@contextmanager
def full_disk(worker: WorkerProcess) -> Iterator[None]:
    """Have the system refuse to all hosts, those to come too, what makes a file longer."""

    def limit(size_bytes: int) -> None:
        for process in (*worker.zygotes(), *worker.hosts()):
            process.rlimit(psutil.RLIMIT_FSIZE, (size_bytes, UNLIMITED))

    limit(ROOM_BYTES)
    try:
        yield
    finally:
        limit(UNLIMITED)


async def test_nothing_is_lost_on_a_full_disk(stage: Stage) -> None:
    """What cannot be stored stays at WhatsApp, and what cannot be sent waits."""
    traffic, since, log = stage.traffic("full"), stage.arrivals, stage.log_size
    async with LiveWatch(stage.gateway.worker).watching():
        await traffic.once()
        await stage.settled(traffic)
        async with traffic.flowing():
            with full_disk(stage.gateway.worker):
                await eventually(
                    lambda: len(ends(stage, log)) >= 2, timeout_seconds=20, reason="hosts leave"
                )
                await asyncio.sleep(1)
        await stage.restored()
        await traffic.once()
        await stage.settled(traffic)
    stage.audit(traffic, since=since)
    assert complaints(stage.log_lines(log)) == []


def ends(stage: Stage, log: int) -> list[str]:
    """Return whose hosts have left since that offset."""
    lines = stage.log_lines(log)
    return [line["session_id"] for line in lines if line["event"] == "session.host_exited"]
