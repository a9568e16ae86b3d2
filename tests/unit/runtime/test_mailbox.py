"""Mailboxes: order within a key, keys side by side, nothing left behind."""

import asyncio
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.runtime.mailbox import Mailboxes


async def test_items_of_a_key_run_one_after_the_other_in_order() -> None:
    """Order is kept even when an earlier item takes longer than a later one."""
    seen: list[int] = []

    async def handle(_key: str, item: int) -> None:
        for _ in range(1 if item % 2 else 20):
            await asyncio.sleep(0)
        seen.append(item)

    boxes: Mailboxes[int] = Mailboxes(handle=handle, name="test")
    for item in range(6):
        boxes.post("a", item)
    await boxes.join()

    assert seen == list(range(6))


async def test_a_blocked_key_does_not_hold_up_another() -> None:
    """Keys run side by side."""
    release = asyncio.Event()
    overtaken = asyncio.Event()
    done: list[str] = []

    async def handle(key: str, _item: int) -> None:
        if key == "slow":
            await release.wait()
        done.append(key)
        overtaken.set()

    boxes: Mailboxes[int] = Mailboxes(handle=handle, name="test")
    boxes.post("slow", 1)
    boxes.post("fast", 1)
    await overtaken.wait()
    release.set()
    await boxes.join()

    assert done == ["fast", "slow"]


async def test_a_failing_item_does_not_stop_those_behind_it() -> None:
    """The failure is logged; the next item runs."""
    seen: list[int] = []

    async def handle(_key: str, item: int) -> None:
        if item == 0:
            raise ValueError("broken")
        seen.append(item)

    boxes: Mailboxes[int] = Mailboxes(handle=handle, name="test")
    boxes.post("a", 0)
    boxes.post("a", 1)
    await boxes.join()

    assert seen == [1]


async def test_what_is_cancelled_is_over_and_what_waits_is_forgotten() -> None:
    """Nothing is left then, and a key that is used again begins anew."""
    began = asyncio.Event()
    seen: list[int] = []

    async def handle(_key: str, item: int) -> None:
        began.set()
        if item == 0:
            await asyncio.Event().wait()
        seen.append(item)

    boxes: Mailboxes[int] = Mailboxes(handle=handle, name="test")
    for item in range(3):
        boxes.post("a", item)
    await began.wait()
    await boxes.cancel()
    await boxes.join()
    assert seen == []

    boxes.post("a", 3)
    await boxes.join()
    assert seen == [3]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40))
def test_whatever_is_posted_is_handled_once_and_in_order_of_its_key(
    posts: list[tuple[str, int]],
) -> None:
    """For any interleaving of keys, each key sees exactly its items in order."""

    async def scenario() -> dict[str, list[int]]:
        seen: dict[str, list[int]] = defaultdict(list)

        async def handle(key: str, item: int) -> None:
            for _ in range(item % 3):
                await asyncio.sleep(0)
            seen[key].append(item)

        boxes: Mailboxes[int] = Mailboxes(handle=handle, name="test")
        for index, (key, item) in enumerate(posts):
            boxes.post(key, item)
            if index % 5 == 0:
                await asyncio.sleep(0)
        await boxes.join()
        return seen

    expected: dict[str, list[int]] = defaultdict(list)
    for key, item in posts:
        expected[key].append(item)
    assert asyncio.run(scenario()) == expected
