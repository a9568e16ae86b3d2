"""Observers never end what they observe."""

import asyncio

import pytest

from gateway_worker.runtime.observer import Observer
from gateway_worker.runtime.service import running


class Clumsy:
    """Fails a number of times, then works until it is told to stop."""

    def __init__(self, failures: int, *, error: Exception | None) -> None:
        self.left = failures
        self.error = error
        self.works = asyncio.Event()
        self.has_failed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Behave as the class says."""
        if self.left:
            self.left -= 1
            self.has_failed.set()
            if self.error is not None:
                raise self.error
            return
        self.works.set()
        await stop.wait()


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), KeyError("x"), None])
async def test_one_that_fails_begins_anew(error: Exception | None) -> None:
    """Neither an error nor an early return ends the worker."""
    clumsy = Clumsy(3, error=error)
    worker_stop = asyncio.Event()

    async with running(
        Observer(clumsy, pause_seconds=0.001), worker_stop=worker_stop, grace_seconds=5, name="x"
    ):
        await clumsy.works.wait()
        assert not worker_stop.is_set()


async def test_a_stop_does_not_wait_for_its_rest() -> None:
    """It ends while it pauses."""
    clumsy = Clumsy(1, error=OSError("broken"))
    worker_stop = asyncio.Event()

    async with running(
        Observer(clumsy, pause_seconds=1000), worker_stop=worker_stop, grace_seconds=5, name="x"
    ):
        await clumsy.has_failed.wait()
    assert not clumsy.works.is_set()
