"""Group commit: order, size, retries, isolation of a bad item, and the drain at the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.batcher import FAULTS, Batcher
from gateway_worker.runtime.division import Division
from tests.support.eventually import eventually


@asynccontextmanager
async def running(batcher: Batcher[int, int]) -> AsyncIterator[None]:
    """Run a batcher around a block and let it finish."""
    stop = asyncio.Event()
    task = asyncio.create_task(batcher.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_items_that_come_together_share_a_flush_and_each_gets_its_answer() -> None:
    """One flush for many calls, answers in the order of the calls."""
    batches: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return [item * 10 for item in items]

    batcher = Batcher(flush=flush, name="test")
    async with running(batcher):
        answers = await asyncio.gather(*(batcher.submit(item) for item in range(5)))

    assert answers == [0, 10, 20, 30, 40]
    assert batches == [[0, 1, 2, 3, 4]]


async def test_a_batch_never_exceeds_its_limit() -> None:
    """More items than fit go in several flushes, in order."""
    batches: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return items

    batcher = Batcher(flush=flush, name="test", max_items=2)
    async with running(batcher):
        await asyncio.gather(*(batcher.submit(item) for item in range(5)))

    assert batches == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(("busy_per_second", "flushed"), [(1.0, [[0]]), (1e9, [[0], [1]])])
async def test_batches_keep_apart_while_much_comes(
    busy_per_second: float, flushed: list[list[int]]
) -> None:
    """A quiet time pays no wait: how much comes decides, and not how large batches are."""
    batches: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return items

    batcher = Batcher(
        flush=flush, name="test", linger_seconds=3600.0, busy_per_second=busy_per_second
    )
    task = asyncio.create_task(batcher.run(asyncio.Event()))
    await batcher.submit(0)
    batcher.submit(1)
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert batches == flushed


async def test_what_nobody_waits_for_goes_with_what_somebody_does() -> None:
    """Items with patience begin no flush, and keep their places before those that do."""
    batches: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return items

    batcher = Batcher(
        flush=flush, name="test", patience_seconds=lambda item: 3600.0 if item < 0 else 0.0
    )
    async with running(batcher):
        patient = [batcher.submit(-1), batcher.submit(-2)]
        await asyncio.sleep(0)
        assert batches == []

        await batcher.submit(1)
        assert [future.result() for future in patient] == [-1, -2]

        last = batcher.submit(-3)

    assert last.result() == -3, "what is left when it stops does not wait"
    assert batches == [[-1, -2, 1], [-3]]


async def test_patience_ends() -> None:
    """An item that nothing else follows is flushed when its patience is over."""
    batches: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return items

    batcher = Batcher(flush=flush, name="test", patience_seconds=lambda _item: 0.001)
    async with running(batcher):
        assert await batcher.submit(1) == 1
        assert await batcher.submit(2) == 2

    assert batches == [[1], [2]]


async def test_a_flush_that_cannot_be_done_now_is_repeated_until_it_can() -> None:
    """A service that is away delays the answers; it loses none and reorders none."""
    attempts: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        attempts.append(list(items))
        if len(attempts) < 3:
            raise DependencyError("away")
        return items

    batcher = Batcher(flush=flush, name="test")
    async with running(batcher):
        answers = await asyncio.gather(*map(batcher.submit, (1, 2)))

    assert answers == [1, 2]
    assert attempts == [[1, 2], [1, 2], [1, 2]]


async def test_a_bad_item_spoils_only_itself() -> None:
    """The others of its batch are flushed one by one and succeed."""

    async def flush(items: Sequence[int]) -> Sequence[int]:
        if 13 in items:
            raise ValueError("unlucky")
        return items

    batcher = Batcher(flush=flush, name="test")
    async with running(batcher):
        good, bad, last = batcher.submit(1), batcher.submit(13), batcher.submit(2)
        assert await good == 1
        with pytest.raises(ValueError, match="unlucky"):
            await bad
        assert await last == 2


async def test_what_nobody_has_foreseen_is_no_verdict_at_once() -> None:
    """It is tried again, and only if it comes back each time is the caller told."""
    attempts: list[list[int]] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        attempts.append(list(items))
        if 13 in items or len(attempts) < 3:
            raise TypeError("a fault of the driver's")
        return items

    batcher = Batcher(flush=flush, name="test")
    async with running(batcher):
        good, bad = batcher.submit(1), batcher.submit(13)
        assert await good == 1
        with pytest.raises(TypeError, match="driver's"):
            await bad
    assert attempts == [[1, 13], [1], [1], *[[13]] * FAULTS]


async def test_stopping_flushes_what_is_pending() -> None:
    """`run` returns only when everything submitted before is written."""
    written: list[int] = []

    async def flush(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        written.extend(items)
        return items

    batcher = Batcher(flush=flush, name="test", max_items=1)
    async with running(batcher):
        for item in range(4):
            batcher.submit(item)

    assert written == [0, 1, 2, 3]


async def test_cancelling_cancels_the_futures_that_have_no_answer() -> None:
    """Nobody waits for ever for a batcher that is gone."""

    async def flush(items: Sequence[int]) -> Sequence[int]:
        await asyncio.Event().wait()
        return items

    batcher = Batcher(flush=flush, name="test")
    task = asyncio.create_task(batcher.run(asyncio.Event()))
    future = batcher.submit(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))

    assert future.cancelled()


class Rows:
    """A service with one row per key, some of which somebody keeps locked.

    Items are numbers, their key is the tens.
    """

    def __init__(self, *locked: int) -> None:
        self.locked = set(locked)
        self.refused: set[int] = set()
        self.is_there = True
        self.written: list[int] = []
        self.attempts: list[list[int]] = []

    async def flush(self, items: Sequence[int]) -> Sequence[int]:
        """Write all items or none."""
        self.attempts.append(list(items))
        if not self.is_there or self.locked & {item // 10 for item in items}:
            raise DependencyError("not now")
        if self.refused & set(items):
            raise ValueError("never")
        self.written += items
        return items

    async def answers(self) -> bool:
        """Tell whether it is there."""
        return self.is_there

    def batcher(self) -> Batcher[int, int]:
        """Return one that divides by key."""
        division = Division(key=lambda item: item // 10, flush=self.flush, answers=self.answers)
        return Batcher(flush=self.flush, name="test", division=division)


async def test_only_the_items_behind_a_lock_wait() -> None:
    """The others go on; those that wait come in their order once the lock is gone."""
    rows = Rows(1)
    batcher = rows.batcher()
    async with running(batcher):
        early = [batcher.submit(item) for item in (10, 20, 11, 30)]
        assert await asyncio.gather(*early[1::2]) == [20, 30]
        late = [batcher.submit(item) for item in (12, 21)]
        assert await late[1] == 21
        assert batcher.held_aside == 1
        assert batcher.waiting == 3
        rows.locked.clear()
        await asyncio.gather(*early, *late)

    assert [item for item in rows.written if item // 10 == 1] == [10, 11, 12]
    assert sorted(rows.written) == [10, 11, 12, 20, 21, 30]
    assert batcher.held_aside == 0


async def test_what_waits_behind_a_lock_can_be_refused() -> None:
    """The one that is bad gets its verdict, those behind it are written in their order."""
    rows = Rows(1)
    rows.refused.add(11)
    batcher = rows.batcher()
    async with running(batcher):
        early = [batcher.submit(item) for item in (10, 11, 12)]
        await eventually(lambda: batcher.held_aside == 1)
        late = batcher.submit(13)
        rows.locked.clear()
        with pytest.raises(ValueError, match="never"):
            await early[1]
        await asyncio.gather(early[0], early[2], late)

    assert rows.written == [10, 12, 13]


async def test_a_lock_that_comes_while_items_are_told_apart() -> None:
    """What has not been tried yet stays behind what has."""
    rows = Rows()
    rows.refused.add(99)
    batcher = rows.batcher()

    async def flush(items: Sequence[int]) -> Sequence[int]:
        if items == [10]:
            rows.locked.add(1)
        return await rows.flush(items)

    batcher._flush = flush
    async with running(batcher):
        futures = [batcher.submit(item) for item in (99, 10, 11, 20, 12)]
        assert await futures[3] == 20
        later = batcher.submit(13)
        rows.locked.clear()
        await asyncio.gather(*futures[1:], later)
        with pytest.raises(ValueError, match="never"):
            await futures[0]

    assert [item for item in rows.written if item // 10 == 1] == [10, 11, 12, 13]


async def test_a_service_that_is_away_divides_nothing() -> None:
    """The batch stays whole for as long as it takes."""
    rows = Rows()
    rows.is_there = False
    batcher = rows.batcher()
    async with running(batcher):
        futures = [batcher.submit(item) for item in (10, 20)]
        await eventually(lambda: len(rows.attempts) > 3)
        assert batcher.held_aside == 0
        rows.is_there = True
        await asyncio.gather(*futures)

    assert all(attempt == [10, 20] for attempt in rows.attempts)


async def test_cancelling_cancels_what_is_held_aside() -> None:
    """As everything else that has no answer."""
    rows = Rows(1)
    batcher = rows.batcher()
    task = asyncio.create_task(batcher.run(asyncio.Event()))
    future = batcher.submit(10)
    await eventually(lambda: batcher.held_aside == 1)
    task.cancel()
    await asyncio.wait((task,))

    assert future.cancelled()
