"""How fast each tenant's commands begin, and how many run at a time."""

import asyncio
from collections.abc import Awaitable

import pytest

from gateway_worker.tenants.quotas import TenantRates, TenantSlots
from tests.support.eventually import eventually


class Clock:
    """Seconds as a test wants them."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


def rates(
    clock: Clock, *, per_second: float = 10.0, burst: int = 5, **weights: float
) -> TenantRates:
    """Return rates on this clock."""
    return TenantRates(per_second=per_second, burst=burst, weights=weights, clock=clock)


def test_one_tenant_waits_and_another_does_not() -> None:
    """After a few at once one begins every tenth of a second."""
    made = rates(Clock())

    waits = [made.wait("acme") for number in range(8)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.1, 0.2, 0.3], abs=1e-6)
    assert made.wait("mallory") == 0


def test_a_rest_lets_as_many_begin_at_once_again_and_no_more() -> None:
    """However long it was."""
    clock = Clock()
    made = rates(clock)
    for _ in range(20):
        made.wait("acme")
    clock.now += 3_600
    assert [made.wait("acme") for _ in range(6)] == pytest.approx([0, 0, 0, 0, 0, 0.1], abs=1e-6)


def test_some_have_more() -> None:
    """By their weights, in both."""
    made = rates(Clock(), acme=2.0, mallory=0.2)

    assert [made.wait("acme") for _ in range(12)][-2:] == pytest.approx([0.05, 0.1], abs=1e-6)
    assert [made.wait("mallory") for _ in range(3)] == pytest.approx([0, 0.5, 1.0], abs=1e-6)


def test_without_a_rate_nobody_waits() -> None:
    """As many as come."""
    made = rates(Clock(), per_second=0)

    assert not any(made.wait("acme") for _ in range(1_000))


def test_quiet_tenants_are_forgotten() -> None:
    """There may be many over the years."""
    clock = Clock()
    made = rates(clock)
    for number in range(100):
        made.wait(f"t{number}")
    clock.now += 3_600
    for number in range(100):
        made.wait(f"u{number % 2}")
    assert len(made._full_at) <= 2


def test_what_may_not_wait_is_counted_only_if_it_may_begin() -> None:
    """However much comes, the next one may begin when the first ones do not count any more."""
    clock = Clock()
    made = rates(clock)
    told = [made.take("acme") for _ in range(100)]

    assert told[:5] == [0, 0, 0, 0, 0]
    assert told[5:] == pytest.approx([0.1] * 95, abs=1e-6)
    clock.now += 0.11
    assert [made.take("acme") for _ in range(2)] == pytest.approx([0, 0.09], abs=1e-6)


async def aside(waiting: Awaitable[object]) -> None:
    """Wait, as a command does in its place."""
    await waiting


async def test_a_slot_goes_to_whoever_has_waited_for_longest() -> None:
    """Of each tenant so many run at a time, and nobody who comes goes before those who wait."""
    slots = TenantSlots(at_a_time=2, weights={"acme": 0.5})
    assert slots.take("acme")
    assert [slots.take("mallory") for _ in range(3)] == [True, True, False]
    ended: list[str] = []

    async def run(name: str) -> None:
        assert await slots.wait("acme", aside)
        ended.append(name)
        slots.give_back("acme")

    tasks = [asyncio.create_task(run(name)) for name in "abc"]
    await asyncio.sleep(0)
    assert not slots.take("acme")
    assert ended == []
    slots.give_back("acme")
    await eventually(lambda: ended == ["a", "b", "c"])
    await asyncio.gather(*tasks)
    assert slots.taken("acme") == 0
    assert slots.take("acme")


async def test_a_slot_is_not_lost_on_one_who_gives_up() -> None:
    """Before it is given, and just when it is."""
    slots = TenantSlots(at_a_time=1, weights={})
    assert slots.take("acme")

    async def give_up(waiting: Awaitable[object]) -> None:
        await waiting
        raise ConnectionError

    gone = asyncio.create_task(slots.wait("acme", aside))
    late = asyncio.create_task(slots.wait("acme", give_up))
    last = asyncio.create_task(slots.wait("acme", aside))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait((gone,))
    slots.give_back("acme")
    with pytest.raises(ConnectionError):
        await late
    assert await last
    slots.give_back("acme")
    assert slots.taken("acme") == 0


async def test_what_has_begun_goes_on_although_there_is_no_slot() -> None:
    """Then nobody begins until there is one again."""
    slots = TenantSlots(at_a_time=1, weights={})
    assert slots.take("acme")
    slots.take_anyway("acme")
    waiting = asyncio.create_task(slots.wait("acme", aside))
    await asyncio.sleep(0)
    slots.give_back("acme")
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.give_back("acme")
    assert await waiting
