"""What the worker says of itself on RabbitMQ."""

import asyncio

import pytest

from gateway_contracts import SessionState, WorkerDraining, WorkerLoad
from gateway_worker.errors import DependencyError
from gateway_worker.health import heartbeat as module
from gateway_worker.health.heartbeat import Heartbeat, LoadReport, Rate, WorkerEvent
from gateway_worker.health.resources import ResourceMeter
from tests.support.eventually import eventually
from tests.support.pacing import consistently


class Listener:
    """Stands for the broker: notes events, or is away."""

    def __init__(self) -> None:
        self.events: list[WorkerEvent] = []
        self.away = False
        self.hanging = False

    async def publish_worker_event(self, message: WorkerEvent) -> None:
        """Take one event."""
        if self.hanging:
            await asyncio.Event().wait()
        if self.away:
            raise DependencyError("no connection")
        self.events.append(message)

    @property
    def kinds(self) -> list[str]:
        """The types of what was published."""
        return [event.type.split(".")[2] for event in self.events]


class Holding:
    """Stands for the session manager."""

    capacity = 50

    def states(self) -> dict[SessionState, int]:
        """Return one state."""
        return {SessionState.CONNECTED: 3}


async def no_answer() -> int:
    """Be a service that is away."""
    raise DependencyError("away")


async def seven() -> int:
    """Be a depth."""
    return 7


def make(listener: Listener, beats: list[WorkerLoad] | None = None) -> Heartbeat:
    """Make a heartbeat that beats fast."""

    async def on_beat(load: WorkerLoad) -> None:
        if beats is not None:
            beats.append(load)

    report = LoadReport(
        worker_id="w-0",
        carried=Holding(),
        resources=ResourceMeter(host_pids=tuple, pss_bytes=lambda _pid: None),
        queue_depth=no_answer,
        outbox_depth=seven,
        commands=Rate(),
        events=Rate(),
    )
    return Heartbeat(
        worker_id="w-0",
        report=report,
        events=listener,
        interval_seconds=0.01,
        on_beat=on_beat,
    )


async def test_a_start_is_followed_by_beats_until_stopped() -> None:
    """`started` once, then heartbeats; each tells what the worker carries."""
    listener, beats = Listener(), list[WorkerLoad]()
    stop = asyncio.Event()
    task = asyncio.create_task(make(listener, beats).run(stop))
    await eventually(lambda: len(listener.events) >= 4)
    stop.set()
    await task

    assert listener.kinds[0] == "started"
    assert set(listener.kinds[1:]) == {"heartbeat"}
    load = listener.events[-1].data
    assert (load.worker, load.capacity, load.sessions[SessionState.CONNECTED]) == ("w-0", 50, 3)
    assert (load.queue_depth, load.outbox_depth) == (None, 7)
    assert load.memory_bytes > 0
    assert beats


async def test_a_broker_that_is_away_does_not_end_it() -> None:
    """The beat is missed; the next one comes."""
    listener = Listener()
    listener.away = True
    stop = asyncio.Event()
    task = asyncio.create_task(make(listener).run(stop))
    await consistently(lambda: not listener.events, seconds=0.05)
    listener.away = False
    await eventually(lambda: listener.events)
    stop.set()
    await task

    assert "heartbeat" in listener.kinds


async def test_a_farewell_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broker that hangs does not hold up the end."""
    listener = Listener()
    listener.hanging = True
    monkeypatch.setattr(module, "_FAREWELL_SECONDS", 0.05)

    await make(listener).farewell(WorkerDraining)

    assert listener.events == []


def test_a_rate_begins_anew_with_every_look() -> None:
    """What was counted is not counted twice."""
    rate = Rate()
    rate.add()

    assert rate.per_second() > 0
    assert rate.per_second() == 0
