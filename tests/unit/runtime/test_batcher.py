"""Group commit: order, size, retries, isolation of a bad item, and the drain at the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.batcher import FAULTS, Batcher


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
        answers = await asyncio.gather(batcher.submit(1), batcher.submit(2))

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
