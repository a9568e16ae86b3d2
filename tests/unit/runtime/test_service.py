"""Services: watched while they run, drained when they are told to stop."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from gateway_worker.runtime import service as module
from gateway_worker.runtime.service import ServiceError, running


class Obedient:
    """Works until told to stop, then notes that it has finished."""

    def __init__(self, journal: list[str], name: str = "service") -> None:
        self._journal = journal
        self._name = name

    async def run(self, stop: asyncio.Event) -> None:
        """Behave as the class says."""
        await stop.wait()
        await asyncio.sleep(0)
        self._journal.append(self._name)


class Failing:
    """Fails at once, or once it was told to stop."""

    def __init__(self, *, when_stopped: bool = False) -> None:
        self._when_stopped = when_stopped

    async def run(self, stop: asyncio.Event) -> None:
        """Behave as the class says."""
        if self._when_stopped:
            await stop.wait()
        raise RuntimeError("broken")


class Deaf:
    """Does not listen to its stop event; only a cancellation ends it, if anything."""

    def __init__(self, *, cancellable: bool = True) -> None:
        self.cancellations = 0
        self._cancellable = cancellable
        self.release = asyncio.Event()

    async def run(self, _stop: asyncio.Event) -> None:
        """Behave as the class says."""
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                if self._cancellable:
                    raise


class Brief:
    """Returns although nobody stopped it."""

    async def run(self, _stop: asyncio.Event) -> None:
        """Behave as the class says."""
        await asyncio.sleep(0)


async def test_a_service_is_drained_when_the_block_leaves() -> None:
    """Leaving the block waits until the service has finished."""
    journal: list[str] = []
    stop = asyncio.Event()

    async with running(Obedient(journal), worker_stop=stop, grace_seconds=5, name="s"):
        assert journal == []

    assert journal == ["service"]
    assert not stop.is_set()


async def test_services_of_a_stack_stop_in_reverse_order() -> None:
    """What was started last, and may use all the others, is drained first."""
    journal: list[str] = []
    stop = asyncio.Event()

    async with AsyncExitStack() as stack:
        for name in ("relay", "sessions", "consumer"):
            service = Obedient(journal, name)
            await stack.enter_async_context(
                running(service, worker_stop=stop, grace_seconds=5, name=name)
            )

    assert journal == ["consumer", "sessions", "relay"]


async def test_a_failure_stops_the_worker_and_is_raised() -> None:
    """A service that fails sets the worker's stop event; leaving the block raises its error."""
    stop = asyncio.Event()

    with pytest.raises(RuntimeError, match="broken"):
        async with running(Failing(), worker_stop=stop, grace_seconds=5, name="s"):
            await stop.wait()


async def test_a_failure_while_draining_is_raised() -> None:
    """Failing in the last moment is a failure too."""
    with pytest.raises(RuntimeError, match="broken"):
        async with running(
            Failing(when_stopped=True), worker_stop=asyncio.Event(), grace_seconds=5, name="s"
        ):
            pass


async def test_an_early_return_stops_the_worker() -> None:
    """A service that returns although nobody stopped it counts as failed."""
    stop = asyncio.Event()

    with pytest.raises(ServiceError, match="relay ended before it was stopped"):
        async with running(Brief(), worker_stop=stop, grace_seconds=5, name="relay"):
            await stop.wait()


async def test_the_other_services_are_drained_when_one_fails() -> None:
    """One failing service does not take away the others' time to finish."""
    journal: list[str] = []
    stop = asyncio.Event()

    good = running(Obedient(journal), worker_stop=stop, grace_seconds=5, name="good")
    bad = running(Failing(), worker_stop=stop, grace_seconds=5, name="bad")

    with pytest.raises(RuntimeError, match="broken"):
        async with good, bad:
            await stop.wait()

    assert journal == ["service"]


async def test_a_service_that_takes_too_long_is_cancelled() -> None:
    """At the end of its grace the service is cancelled, which is no failure of the worker."""
    deaf = Deaf()

    async with running(deaf, worker_stop=asyncio.Event(), grace_seconds=0.01, name="s"):
        await asyncio.sleep(0)

    assert deaf.cancellations == 1


async def test_a_service_that_survives_its_cancellation_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One stuck service keeps nobody from stopping, and is no failure: it is named."""
    monkeypatch.setattr(module, "CANCEL_SECONDS", 0.01)
    deaf = Deaf(cancellable=False)

    with capture_logs() as logs:
        async with running(deaf, worker_stop=asyncio.Event(), grace_seconds=0.01, name="relay"):
            await asyncio.sleep(0)
    assert ("service.stuck", "relay") in [(line["event"], line["service"]) for line in logs]
    deaf.release.set()
    await asyncio.sleep(0)


async def test_the_error_of_the_block_goes_first() -> None:
    """An exception on its way out is not replaced by that of a service."""
    with pytest.raises(KeyError):
        async with running(
            Failing(when_stopped=True), worker_stop=asyncio.Event(), grace_seconds=5, name="s"
        ):
            raise KeyError


async def test_cancelling_the_drain_leaves_nothing_running() -> None:
    """Whoever cancels the wait for the end gets the service cancelled with it."""
    deaf = Deaf()
    entered = asyncio.Event()

    async def block() -> None:
        async with running(deaf, worker_stop=asyncio.Event(), grace_seconds=60, name="s"):
            entered.set()

    outer = asyncio.create_task(block())
    await entered.wait()
    await asyncio.sleep(0)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer

    assert deaf.cancellations == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}
