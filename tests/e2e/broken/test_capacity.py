"""A full fleet leaves commands waiting and says so; room lets them go on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_contracts import SessionCreate, SessionDelete, WorkerCapacity
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import WORKER, Gateway, open_gateway
from tests.support.eventually import eventually


@pytest.fixture
async def small_gateway(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A fleet of one worker with room for one session."""
    settings = {**environment, "CAPACITY": "1", "HEARTBEAT_SECONDS": "0.3"}
    async with open_gateway(sandbox, settings, tmp_path) as gateway:
        yield gateway


async def test_commands_without_a_place_wait_and_are_announced(small_gateway: Gateway) -> None:
    """Once when they begin to wait, once when there is room again; then they are executed."""
    backend = small_gateway.backend

    def told() -> list[tuple[int, int]]:
        return [
            (one.event.data.waiting_commands, one.event.data.free_slots)
            for one in backend.arrivals
            if isinstance(one.event, WorkerCapacity) and one.event.subject == WORKER
        ]

    await small_gateway.create("first")
    second = SessionCreate(source=backend.source, subject="second")
    await backend.publish(second)
    assert await eventually(told, timeout_seconds=30, reason="the lack is told") == [(1, 0)]
    await small_gateway.succeed(SessionDelete(source=backend.source, subject="first"))
    await backend.outcome(second.id)
    both = await eventually(
        lambda: told() if len(told()) > 1 else None, timeout_seconds=30, reason="its end is told"
    )
    assert both is not None
    waiting, room = both[1]
    assert waiting == 0 or room > 0
