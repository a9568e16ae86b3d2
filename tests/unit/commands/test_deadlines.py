"""A deadline ends the waiting of a command, and is one of the wall's clock."""

import asyncio
from pathlib import Path

from gateway_worker.commands.deadlines import Deadlines
from gateway_worker.commands.hold_back_queues import HoldBackQueues
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.scheduler import Scheduler, Turn
from gateway_worker.commands.work import InterleavedJob, Work
from tests.support.eventually import eventually
from tests.support.ports import UnaskedRecorder, session_ports, sessions_on
from tests.unit.commands.test_tenant_turns import work_for


async def test_what_is_not_late_yet_overtakes_nothing(tmp_path: Path) -> None:
    """Its alarm may ring early, as where the clock was set back: it is late when it is."""
    sessions = sessions_on(session_ports(UnaskedRecorder()), worker_id="me", directory=tmp_path)
    began: list[Work | InterleavedJob] = []
    gate = asyncio.Event()

    async def handle(
        _key: str, item: Work | InterleavedJob, _turn: Turn[Work | InterleavedJob]
    ) -> None:
        began.append(item)
        await gate.wait()

    left = iter((0.01, 0.02, 0.01, -1.0))
    asked: list[float] = []

    def seconds_left(_command: object) -> float:
        asked.append(next(left))
        return asked[-1]

    scheduler: Scheduler[Work | InterleavedJob] = Scheduler(handle=handle)
    deadlines = Deadlines(
        seconds_left=seconds_left,
        scheduler=scheduler,
        hold_back_queues=HoldBackQueues(manager=sessions.manager, on_held=lambda _held: None),
        hold_seconds=3_600,
    )
    first, second = work_for("shop"), work_for("shop")
    for work in (first, second):
        work.ticket = scheduler.post("shop", work, lane=Lane.SENDS)
    deadlines.watch("shop", second)
    await eventually(
        lambda: began == [first, second], reason="it passes what waits once it is late"
    )

    assert asked == [0.01, 0.02, 0.01, -1.0]
    gate.set()
    await scheduler.join()
