"""What waits for work is woken when it is to stop."""

import asyncio

from gateway_worker.runtime.waking import woken_by


async def test_it_is_woken_when_it_is_to_stop() -> None:
    """And not before."""
    stop, wake = asyncio.Event(), asyncio.Event()

    with woken_by(stop, wake, name="test"):
        await asyncio.sleep(0)
        assert not wake.is_set()
        stop.set()
        async with asyncio.timeout(30):
            await wake.wait()


async def test_nothing_is_left_of_it() -> None:
    """Also where nobody has said stop."""
    stop, wake = asyncio.Event(), asyncio.Event()

    with woken_by(stop, wake, name="test"):
        assert "test" in {task.get_name() for task in asyncio.all_tasks()}

    async with asyncio.timeout(30):
        await wake.wait()
    assert "test" not in {task.get_name() for task in asyncio.all_tasks()}
