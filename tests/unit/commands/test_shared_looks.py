"""Hundreds of refused commands of one session look for its owner as often as one does."""

import asyncio

import pytest

from gateway_worker.commands import shared_looks
from gateway_worker.commands.shared_looks import SharedLooks
from tests.support.eventually import eventually

MANY = 50


class Waiting:
    """Commands that look until there is an owner.

    Attributes:
        looked: How often each of them has looked.
        has_owner: Set once there is one.
    """

    def __init__(self) -> None:
        self.looks = SharedLooks()
        self.looked: dict[str, int] = {}
        self.has_owner = asyncio.Event()

    async def wait(self, name: str, *, session: str = "s", with_others: bool = True) -> None:
        """Be one of them."""
        with self.looks.of(session) as look:
            while True:
                self.looked[name] = self.looked.get(name, 0) + 1
                if self.has_owner.is_set():
                    return
                await look.pause(with_others=with_others)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and let nobody lose their patience."""
    monkeypatch.setattr(shared_looks, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(shared_looks, "PATIENCE_SECONDS", 600.0)


async def test_one_looks_and_all_go_on() -> None:
    """The others look once at first, and once when it is through."""
    waiting = Waiting()
    async with asyncio.TaskGroup() as tasks:
        for number in range(MANY):
            tasks.create_task(waiting.wait(f"{number}"))
        await eventually(lambda: max(waiting.looked.values(), default=0) > 5)
        assert sorted(waiting.looked.values())[:-1] == [1] * (MANY - 1)
        waiting.has_owner.set()

    assert sorted(waiting.looked.values())[:-1] == [2] * (MANY - 1)


async def test_the_next_one_looks_if_that_one_is_gone() -> None:
    """It was called off, or has failed."""
    waiting = Waiting()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(waiting.wait("first"))
        await eventually(lambda: waiting.looked.get("first", 0) > 2)
        tasks.create_task(waiting.wait("second"))
        await eventually(lambda: "second" in waiting.looked)
        first.cancel()
        await eventually(lambda: waiting.looked["second"] > 5)
        waiting.has_owner.set()


async def test_what_is_not_refused_looks_itself() -> None:
    """It may be for something else that it waits; and another session is another matter."""
    waiting = Waiting()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(waiting.wait("refused"))
        tasks.create_task(waiting.wait("usual", with_others=False))
        tasks.create_task(waiting.wait("elsewhere", session="t"))
        await eventually(lambda: min(waiting.looked.values(), default=0) > 5)
        assert len(waiting.looked) == 3
        waiting.has_owner.set()
