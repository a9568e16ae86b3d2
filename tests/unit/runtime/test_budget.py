"""The time for a stop: divided over its stages, in one place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway_worker.runtime import budget as module
from gateway_worker.runtime.budget import TAIL_SECONDS, Stage, StopBudget, finish


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.mark.parametrize("drain_seconds", [0.5, 2.0, 25.0, 600.0])
def test_the_stages_follow_each_other_and_end_in_time(drain_seconds: float) -> None:
    """Each mark is later than the one before; the last is within ten seconds of the drain time."""
    budget = StopBudget(drain_seconds=drain_seconds, monotonic=Time())
    marks = [budget.left(stage) for stage in Stage]

    assert marks == sorted(marks)
    assert marks[-1] < drain_seconds + TAIL_SECONDS
    assert budget.left(Stage.COMMANDS) <= drain_seconds


def test_what_a_stage_leaves_over_is_the_later_ones() -> None:
    """Time runs from the signal on, not from the beginning of each stage."""
    time = Time()
    told: list[float] = []
    budget = StopBudget(drain_seconds=10, monotonic=time, began=told.append)
    budget.begin()
    time.now += 4
    budget.begin()

    assert told == [19.5]
    assert budget.left(Stage.HANDOVER) == pytest.approx(2)
    assert budget.left(Stage.SIGN_OFF) == pytest.approx(12.5)
    time.now += 100
    assert 0 < budget.left(Stage.SIGN_OFF) < 0.1


def test_a_stop_with_nothing_to_save_takes_a_part_of_a_second() -> None:
    """Also if the time for a real one has begun to run."""
    time = Time()
    budget = StopBudget(drain_seconds=25, monotonic=time)
    budget.begin()
    time.now += 0.5
    budget.hurry()

    assert budget.left(Stage.CONNECTIONS) < 0.7


class Stubborn:
    """Work that does not end when it is cancelled, until it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.is_done = False

    async def __call__(self) -> None:
        """Behave as the class says."""
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue
        self.is_done = True


async def test_a_step_that_does_not_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cancelled when its time is over, and does not hold the next step up."""
    monkeypatch.setattr(module, "CANCEL_SECONDS", 0.01)
    work = Stubborn()

    assert not await finish(work(), seconds=0.01, name="stubborn")
    assert not work.is_done
    work.release.set()


async def test_a_step_that_fails_is_no_reason_to_stop_stopping() -> None:
    """The failure is logged."""

    async def fail() -> None:
        raise ValueError("broken")

    budget = StopBudget(drain_seconds=1)
    await budget.bounded(Stage.SIGN_OFF, fail, "failing")
    assert await finish(asyncio.sleep(0), seconds=5, name="fine")


async def test_a_connection_that_does_not_close_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closing it takes as long as there is time for connections."""
    monkeypatch.setattr(module, "CANCEL_SECONDS", 0.01)
    closing = Stubborn()
    budget = StopBudget(drain_seconds=1)
    budget.hurry()

    @asynccontextmanager
    async def connection() -> AsyncIterator[str]:
        yield "open"
        await closing()

    async with budget.closing(connection(), "stubborn") as value:
        assert value == "open"
    assert not closing.is_done
    closing.release.set()


async def test_what_is_closed_before_the_stop_does_not_begin_it() -> None:
    """A database that is opened again because it only reads: the worker is not ended for that."""
    told: list[float] = []
    budget = StopBudget(drain_seconds=25, monotonic=Time(), began=told.append)

    @asynccontextmanager
    async def connection() -> AsyncIterator[str]:
        yield "open"

    async with budget.closing(connection(), "first attempt"):
        pass
    assert told == []
    async with budget.closing(connection(), "second attempt"):
        budget.begin()
    assert told == [34.5]
