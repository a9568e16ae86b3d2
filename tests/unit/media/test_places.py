"""Owners take turns for places, and one of several places is left to those that have none."""

import asyncio

import pytest

from gateway_worker.media.places import SharedPlaces, owner_of


class Line:
    """Those that want a place, each under a name that begins with its owner's.

    Attributes:
        served: Who has got one, in that order.
    """

    def __init__(self, count: int) -> None:
        self._places = SharedPlaces(count)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.served: list[str] = []

    async def want(self, *names: str) -> None:
        """Have these want a place, one after the other."""
        for name in names:
            self._tasks[name] = asyncio.create_task(self._have(name))
        await self._settled()

    async def end(self, name: str) -> None:
        """Have one that has a place, or waits for one, go away."""
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._settled()

    async def cancel_both(self, name: str, other: str) -> None:
        """Have two go away at the same moment."""
        tasks = [self._tasks.pop(each) for each in (name, other)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._settled()

    async def drained(self) -> list[str]:
        """Have who was served first go away, and so on; returns in which order all were served."""
        for name in self.served:  # which grows meanwhile
            if name in self._tasks:
                await self.end(name)
        assert not self._tasks
        return self.served

    async def _have(self, name: str) -> None:
        async with self._places.place(name[0]):
            self.served.append(name)
            await asyncio.get_running_loop().create_future()

    async def _settled(self) -> None:
        for _ in range(5):  # as many turns of the loop as anything here takes, and more
            await asyncio.sleep(0)


async def test_owners_take_turns() -> None:
    """One that wants much is not served before others that came later."""
    line = Line(1)
    await line.want("a1", "a2", "a3", "a4", "b1", "b2", "c1")

    assert await line.drained() == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_one_place_is_left_to_others() -> None:
    """However much one wants, and however long that takes, another one waits for nothing."""
    line = Line(3)
    await line.want("a1", "a2", "a3", "a4")
    assert line.served == ["a1", "a2"]

    await line.want("b1")
    assert line.served == ["a1", "a2", "b1"]

    await line.want("b2", "c1")
    await line.end("b1")
    assert line.served == ["a1", "a2", "b1", "b2"]

    await line.end("a2")
    assert line.served == ["a1", "a2", "b1", "b2", "a3"]

    await line.end("a3")
    assert line.served == ["a1", "a2", "b1", "b2", "a3", "c1"]


async def test_what_is_over_for_one_owner_holds_up_nobody_else() -> None:
    """Who comes later takes the place that the first in the line may not have."""
    line = Line(2)
    await line.want("a1", "a2", "b1")

    assert line.served == ["a1", "b1"]

    await line.end("a1")
    assert line.served == ["a1", "b1", "a2"]


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_whoever_goes_away_takes_no_place_with_him(count: int) -> None:
    """Neither while waiting, nor at the moment of getting one."""
    line = Line(count)
    first = [f"{owner}1" for owner in "abc"[:count]]
    await line.want(*first, "x1", "y1", "x2", "y2")
    await line.end("y1")
    await line.cancel_both(first[0], "x1")
    await line.cancel_both("y2", "x2")
    for name in first[1:]:
        await line.end(name)

    after = [f"{owner}9" for owner in "abc"[:count]]
    await line.want(*after)
    assert line.served[-count:] == after


async def test_one_that_has_got_its_place_and_is_cancelled_before_it_knows() -> None:
    """The place goes to the next one."""
    places = SharedPlaces(1)
    await places.take("a")
    leaving = asyncio.create_task(places.take("b"))
    following = asyncio.create_task(places.take("c"))
    await asyncio.sleep(0)

    places.give_back("a")
    leaving.cancel()

    await following
    assert leaving.cancelled()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("acme.support", "acme.sales", True),
        ("acme.support", "other.support", False),
        ("support", "sales", False),
        ("support", "support", True),
        ("acme", "acme.support", False),
    ],
)
def test_whose_turn_it_is(one: str, other: str, *, same: bool) -> None:
    """A tenant's sessions have one turn together; without tenants each session has its own."""
    assert (owner_of(one) == owner_of(other)) is same
