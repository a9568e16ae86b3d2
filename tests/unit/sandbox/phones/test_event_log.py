"""The list that readers can wait on."""

from __future__ import annotations

import asyncio

import pytest

from gateway_worker.sandbox.phones import event_log as module
from gateway_worker.sandbox.phones.errors import NothingHappenedError
from gateway_worker.sandbox.phones.event_log import EventLog


async def test_next_returns_each_entry_once_whether_it_came_before_or_after() -> None:
    """A reader may ask first or later."""
    events: EventLog[int] = EventLog(what="number")
    events.append(1)
    assert await events.next(timeout=0) == 1

    waiting = asyncio.create_task(events.next(timeout=30))
    await asyncio.sleep(0)
    events.append(2)

    assert await waiting == 2
    with pytest.raises(NothingHappenedError, match="no number within 0 s"):
        await events.next(timeout=0)


async def test_wait_for_looks_back_and_ahead_and_leaves_next_alone() -> None:
    """The two ways of reading do not disturb each other."""
    events: EventLog[int] = EventLog(what="number")
    events.append(1)
    waiting = asyncio.create_task(events.wait_for(lambda number: number == 3, timeout=30))
    await asyncio.sleep(0)
    events.append(2)
    await asyncio.sleep(0)
    events.append(3)

    assert await waiting == 3
    assert await events.wait_for(lambda number: number == 1, timeout=0) == 1
    assert await events.next(timeout=0) == 1
    with pytest.raises(NothingHappenedError, match="no such number"):
        await events.wait_for(lambda number: number == 4, timeout=0)


async def test_a_long_poll_returns_what_is_new() -> None:
    """Positions go on counting when old entries are dropped."""
    events: EventLog[int] = EventLog(what="number")
    assert await events.wait_since(0, timeout=0) == ()
    events.append(1)

    assert await events.wait_since(0, timeout=30) == (1,)
    assert await events.wait_since(1, timeout=0) == ()


async def test_old_entries_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and a slow reader goes on with the oldest entry that is kept."""
    monkeypatch.setattr(module, "KEPT", 10)
    events: EventLog[int] = EventLog(what="number")
    for number in range(25):
        events.append(number)

    assert len(events) == 25
    assert list(events) == list(range(10, 25))
    assert events.since(20) == (20, 21, 22, 23, 24)
    assert await events.next(timeout=0) == 10


async def test_entries_are_found_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest with an id; who waits looks at entries with the id only; dropped ones are gone."""
    monkeypatch.setattr(module, "KEPT", 10)
    asked: list[int] = []

    def accept(number: int) -> bool:
        asked.append(number)
        return number > 4

    events: EventLog[int] = EventLog(what="number", ids_of=lambda number: {str(number % 4)})
    waiting = asyncio.create_task(events.wait_for(accept, entry_id="1", timeout=30))
    for number in range(7):
        await asyncio.sleep(0)
        events.append(number)
    assert await waiting == 5
    assert asked == [1, 5]
    assert events.find("1") == 5
    assert events.find("3") == 3
    assert events.find("9") is None

    for number in range(4, 24, 4):
        events.append(number)
    for number in range(24, 24 + 8 * 4, 4):
        events.append(number)
    assert list(events) == [*range(16, 24 + 8 * 4, 4)]
    assert events.find("0") == 52
    assert events.find("1") is None
