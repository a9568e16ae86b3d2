"""Requests to the broker end in time, and their failures are told apart."""

import asyncio

import pytest
from aio_pika.exceptions import ChannelPreconditionFailed, ConnectionClosed

from gateway_worker.broker.failures import bounded
from gateway_worker.broker.underlay import ChannelAccessRefused
from gateway_worker.errors import ConfigurationError, DependencyError


async def fail(error: BaseException) -> None:
    """Fail as the library does."""
    raise error


async def test_a_request_that_ignores_its_cancellation_is_left_behind() -> None:
    """The library waits for ever in the handler of a cancellation; its caller does not."""
    is_over = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await is_over.wait()

    with pytest.raises(DependencyError, match="do it: no answer"):
        await bounded(stubborn(), seconds=0.01, what="do it")
    is_over.set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ChannelPreconditionFailed("inequivalent arg"), ConfigurationError),
        (ChannelAccessRefused("access refused"), ConfigurationError),
        (ConnectionClosed(320, "forced"), DependencyError),
        (asyncio.CancelledError(), DependencyError),
        (TimeoutError(), DependencyError),
        (Exception(), DependencyError),
        (RuntimeError("closed"), DependencyError),
        (ValueError("our mistake"), ValueError),
    ],
)
async def test_failures_are_told_apart(error: BaseException, expected: type[BaseException]) -> None:
    """What the broker will never do, what it may do later, and what is our own mistake."""
    with pytest.raises(expected):
        await bounded(fail(error), seconds=1, what="do it")


async def test_the_caller_can_be_cancelled() -> None:
    """A cancellation of the caller is no failure of the broker."""
    task = asyncio.create_task(bounded(asyncio.Event().wait(), seconds=10, what="do it"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
