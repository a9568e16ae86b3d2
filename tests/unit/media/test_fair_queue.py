"""Tenants and sessions take turns, and none has more than its share."""

import asyncio

from gateway_worker.media.arriving.fair_queue import FairQueue


async def taken(queue: FairQueue[str], count: int) -> list[str]:
    """Take so many items, none of which is done."""
    return [await queue.take() for _ in range(count)]


async def test_sessions_take_turns() -> None:
    """One that has many files does not hold up one that has few."""
    queue: FairQueue[str] = FairQueue(per_session=9, per_owner=9)
    for number in range(4):
        queue.put("a", f"a{number}")
    queue.put("b", "b0")
    queue.put("c", "c0")

    assert await taken(queue, 6) == ["a0", "b0", "c0", "a1", "a2", "a3"]
    assert len(queue) == 0


async def test_a_session_has_its_share_only() -> None:
    """What is beyond it waits until something of the session is done, and others go first."""
    queue: FairQueue[str] = FairQueue(per_session=2, per_owner=9)
    for number in range(3):
        queue.put("a", f"a{number}")
    assert await taken(queue, 2) == ["a0", "a1"]
    waiting = asyncio.create_task(queue.take())
    queue.put("b", "b0")
    assert await waiting == "b0"

    waiting = asyncio.create_task(queue.take())
    queue.done("a")

    assert await waiting == "a2"


async def test_what_is_wanted_first() -> None:
    """It goes before the others of its session; what is taken out does not come."""
    queue: FairQueue[str] = FairQueue(per_session=2, per_owner=9)
    queue.put("a", "later")
    queue.put("a", "gone")
    queue.put("a", "now", first=True)

    assert queue.remove("a", "gone")
    assert not queue.remove("a", "gone")
    assert not queue.remove("b", "gone")
    assert await taken(queue, 2) == ["now", "later"]


async def test_tenants_take_turns() -> None:
    """One that has files in many sessions does not hold up one that has a single session."""
    queue: FairQueue[str] = FairQueue(per_session=9, per_owner=9)
    for session in "xyz":
        for number in range(2):
            queue.put(f"a.{session}", f"a{session}{number}")
    queue.put("b.x", "b0")
    queue.put("b.x", "b1")

    assert await taken(queue, 8) == ["ax0", "b0", "ay0", "b1", "az0", "ax1", "ay1", "az1"]


async def test_a_tenant_has_its_share_only() -> None:
    """However many sessions it has."""
    queue: FairQueue[str] = FairQueue(per_session=2, per_owner=3)
    for session in "xyz":
        for number in range(2):
            queue.put(f"a.{session}", f"a{session}{number}")
    assert await taken(queue, 3) == ["ax0", "ay0", "az0"]
    waiting = asyncio.create_task(queue.take())
    queue.put("b.x", "b0")
    assert await waiting == "b0"

    waiting = asyncio.create_task(queue.take())
    queue.done("a.y")

    assert await waiting == "ax1"
