"""What the worker says of itself on RabbitMQ."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway_contracts import LogLevel, SessionState, WorkerDraining, WorkerLoad
from gateway_contracts.envelope import WorkerEventEnvelope
from gateway_worker.errors import DependencyError
from gateway_worker.health import heartbeat as module
from gateway_worker.health.heartbeat import Heartbeat, LoadReport, Rate, WorkerEvent
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.outbox.ports import Backlog
from tests.support.eventually import eventually
from tests.support.pacing import consistently
from tests.support.publications import MemoryPublications


class Listener(MemoryPublications):
    """Can also keep whoever publishes waiting for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging = False

    async def publish_worker_event(self, message: WorkerEventEnvelope) -> None:
        """Take one event."""
        if self.hanging:
            await asyncio.Event().wait()
        await super().publish_worker_event(message)

    @property
    def loads(self) -> list[WorkerLoad]:
        """What was published of the load."""
        return [event.data for event in self.told if isinstance(event, WorkerEvent)]

    @property
    def kinds(self) -> list[str]:
        """The types of what was published."""
        return [event.type.split(".")[2] for event in self.told]


class Holding:
    """Stands for the session manager."""

    capacity = 50

    def states(self) -> dict[SessionState, int]:
        """Return one state."""
        return {SessionState.CONNECTED: 3}


async def no_answer() -> int:
    """Be a service that is away."""
    raise DependencyError("away")


async def seven() -> Backlog:
    """Be what waits in an outbox."""
    return Backlog(depth=7, oldest_seconds=1.5)


def report_on(outbox: Callable[[], Awaitable[Backlog]]) -> LoadReport:
    """Return a report."""
    return LoadReport(
        worker_id="w-0",
        carried=Holding(),
        resources=ResourceMeter(host_pids=tuple, pss_bytes=lambda _pid: None),
        queue_depth=no_answer,
        outbox=outbox,
        log_level=lambda: LogLevel.WARNING,
        commands=Rate(),
        events=Rate(),
    )


def make(listener: Listener, beats: list[WorkerLoad] | None = None) -> Heartbeat:
    """Make a heartbeat that beats fast."""

    async def on_beat(load: WorkerLoad) -> None:
        if beats is not None:
            beats.append(load)

    return Heartbeat(
        worker_id="w-0",
        report=report_on(seven),
        events=listener,
        interval_seconds=0.01,
        on_beat=on_beat,
    )


async def test_a_start_is_followed_by_beats_until_stopped() -> None:
    """`started` once, then heartbeats; each tells what the worker carries."""
    listener, beats = Listener(), list[WorkerLoad]()
    stop = asyncio.Event()
    task = asyncio.create_task(make(listener, beats).run(stop))
    await eventually(lambda: len(listener.told) >= 4)
    stop.set()
    await task

    assert listener.kinds[0] == "started"
    assert set(listener.kinds[1:]) == {"heartbeat"}
    load = listener.loads[-1]
    assert (load.worker, load.capacity, load.sessions[SessionState.CONNECTED]) == ("w-0", 50, 3)
    assert (load.queue_depth, load.outbox_depth) == (None, 7)
    assert load.memory_bytes > 0
    assert beats


async def test_a_broker_that_is_away_does_not_end_it() -> None:
    """The beat is missed; the next one comes."""
    listener = Listener()
    listener.is_away = True
    stop = asyncio.Event()
    task = asyncio.create_task(make(listener).run(stop))
    await consistently(lambda: not listener.told, seconds=0.05)
    listener.is_away = False
    await eventually(lambda: listener.told)
    stop.set()
    await task

    assert "heartbeat" in listener.kinds


async def test_what_waits_is_remembered_while_the_database_is_away() -> None:
    """It does not look as if it were gone."""
    answers: list[Backlog | None] = [Backlog(depth=7, oldest_seconds=1.5), None]

    async def outbox() -> Backlog:
        if (answer := answers.pop(0)) is None:
            raise DependencyError("away")
        return answer

    report = report_on(outbox)
    depths = [(await report.load()).outbox_depth for _ in range(2)]

    assert depths == [7, 0]
    assert report.backlog == Backlog(depth=7, oldest_seconds=1.5)


async def test_a_farewell_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broker that hangs does not hold up the end."""
    listener = Listener()
    listener.hanging = True
    monkeypatch.setattr(module, "_FAREWELL_SECONDS", 0.05)

    await make(listener).farewell(WorkerDraining)

    assert listener.told == []


def test_a_rate_begins_anew_with_every_look() -> None:
    """What was counted is not counted twice."""
    rate = Rate()
    rate.add()

    assert rate.per_second() > 0
    assert rate.per_second() == 0
