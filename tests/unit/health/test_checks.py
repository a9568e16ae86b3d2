"""Checks: asked in the background, remembered, never waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from gateway_worker.health.checks import CheckResult, Checks, CheckState
from gateway_worker.metrics import Metrics, make_metrics
from gateway_worker.runtime.retry import Backoff
from tests.support.clocks import AheadClock
from tests.support.eventually import eventually

INTERVAL = 0.01
TIMEOUT = 0.05


class Asked:
    """A check that answers as the test says, and counts."""

    def __init__(
        self,
        answer: Callable[[], Awaitable[CheckResult]],
        *,
        name: str = "postgresql",
        required: bool = True,
    ) -> None:
        self.name = name
        self.required = required
        self._answer = answer
        self.times = 0
        self.at_once = 0
        self.most_at_once = 0

    async def check(self) -> CheckResult:
        """Ask once."""
        self.times += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer()
        finally:
            self.at_once -= 1


async def good() -> CheckResult:
    """Answer that all is well."""
    return CheckResult(ok=True)


async def bad() -> CheckResult:
    """Answer that it is not."""
    return CheckResult(ok=False, detail="no route")


async def never() -> CheckResult:
    """Do not answer."""
    await asyncio.Event().wait()
    return CheckResult(ok=True)


async def broken() -> CheckResult:
    """Fail with an error that shows a password."""
    raise ConnectionError("postgresql://gateway:hunter2@db/ refused")


@asynccontextmanager
async def running(*asked: Asked, clock: AheadClock | None = None) -> AsyncIterator[Checks]:
    """Run checks for the time of a block."""
    checks = Checks(
        interval_seconds=INTERVAL,
        timeout_seconds=TIMEOUT,
        clock=clock or AheadClock(),
        metrics=make_metrics(versions={}),
    )
    for each in asked:
        checks.add(each)
    stop = asyncio.Event()
    task = asyncio.create_task(checks.run(stop))
    try:
        yield checks
    finally:
        stop.set()
        await task


async def state_of(
    checks: Checks, wanted: Callable[[CheckState], bool], name: str = "postgresql"
) -> CheckState:
    """Wait for a state."""

    def found() -> list[CheckState]:
        return [state for state in checks.states() if state.name == name and wanted(state)]

    return (await eventually(found))[0]


def metrics_of(checks: Checks) -> Metrics:
    """Return the metrics that the checks write to."""
    return checks._metrics


async def test_nothing_is_assumed_before_the_first_answer() -> None:
    """A dependency that has not been asked is not usable."""
    async with running(Asked(good)) as checks:
        (state,) = checks.states()

    assert (state.ok, state.detail) == (False, "not checked yet")


async def test_a_good_answer_is_remembered() -> None:
    """The state, its age and the metric follow the answer."""
    async with running(Asked(good)) as checks:
        state = await state_of(checks, lambda state: state.ok)

        assert state.required
        assert state.detail == ""
        up = metrics_of(checks).registry.get_sample_value(
            "gateway_dependency_up", {"dependency": "postgresql"}
        )
        assert up == 1


async def test_a_bad_answer_says_why() -> None:
    """What the check says is what people see."""
    async with running(Asked(bad)) as checks:
        state = await state_of(checks, lambda state: state.checked_at is not None)

        assert (state.ok, state.detail) == (False, "no route")


async def test_an_error_is_an_answer_without_secrets() -> None:
    """Whatever a check raises, the dependency cannot be used; no password is shown."""
    async with running(Asked(broken)) as checks:
        state = await state_of(checks, lambda state: state.checked_at is not None)

        assert not state.ok
        assert state.detail == "ConnectionError: postgresql://gateway:[secret]@db/ refused"


async def test_a_check_that_hangs_fails_in_time() -> None:
    """No answer is an answer; the check is cancelled, and never runs twice at once."""
    hanging = Asked(never)
    async with running(hanging) as checks:
        state = await state_of(checks, lambda state: state.checked_at is not None)
        await state_of(checks, lambda _state: hanging.times >= 3)

        assert (state.ok, state.detail) == (False, f"no answer in {TIMEOUT:g} s")
        assert hanging.most_at_once == 1
    assert hanging.at_once == 0


async def test_one_that_hangs_delays_no_other() -> None:
    """Every check has a pace of its own."""
    quick = Asked(good, name="redis")
    async with running(Asked(never), quick) as checks:
        state = await state_of(checks, lambda state: state.ok, name="redis")

        assert state.ok


async def test_since_tells_when_it_changed() -> None:
    """Repeated answers of one kind keep the time of the first."""
    usable = True

    async def answer() -> CheckResult:
        return await (good() if usable else bad())

    asked = Asked(answer)
    async with running(asked) as checks:
        first = await state_of(checks, lambda state: state.ok)
        times = asked.times
        later = await state_of(checks, lambda _state: asked.times > times + 2)
        usable = False
        down = await state_of(checks, lambda state: not state.ok)

        assert later.since == first.since
        assert down.since > first.since


async def test_what_is_away_is_asked_less_and_less_often() -> None:
    """Every pause is longer, up to the interval, and the first ones are short again afterwards."""
    asked: list[float] = []
    away = 6

    async def down_for_a_while() -> CheckResult:
        asked.append(asyncio.get_running_loop().time())
        return CheckResult(ok=len(asked) == away)

    checks = Checks(
        interval_seconds=0.03,
        timeout_seconds=TIMEOUT,
        clock=AheadClock(),
        metrics=make_metrics(versions={}),
        backoff=lambda: Backoff(
            initial_seconds=0.01, maximum_seconds=0.08, uniform=lambda _low, high: high
        ),
    )
    checks.add(Asked(down_for_a_while))
    stop = asyncio.Event()
    task = asyncio.create_task(checks.run(stop))
    await eventually(lambda: len(asked) >= away + 2, reason="it is asked again")
    stop.set()
    await task
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    at_least = [0.01, 0.02, 0.04, 0.08, 0.08, 0.03, 0.01]
    assert all(pause > least * 0.95 for pause, least in zip(pauses, at_least, strict=False))


async def test_an_old_answer_counts_no_more() -> None:
    """If the checks do not run, for whatever reason, nothing is known to be usable."""
    clock = AheadClock()
    gate = asyncio.Event()
    gate.set()

    async def answer() -> CheckResult:
        await gate.wait()
        return CheckResult(ok=True)

    async with running(Asked(answer), clock=clock) as checks:
        await state_of(checks, lambda state: state.ok)
        clock.ahead_seconds = 60
        (state,) = checks.states()

        assert not state.ok
        assert state.detail == "not checked for 60 s"


async def test_a_check_can_be_added_while_others_run() -> None:
    """Dependencies are opened one after the other; their checks come with them."""
    async with running(Asked(good)) as checks:
        await state_of(checks, lambda state: state.ok)
        checks.add(Asked(good, name="s3", required=False))
        state = await state_of(checks, lambda state: state.ok, name="s3")

        assert not state.required


async def test_a_name_is_taken_once() -> None:
    """Two checks of one name would hide each other."""
    async with running(Asked(good)) as checks:
        with pytest.raises(ValueError, match="postgresql"):
            checks.add(Asked(good))


async def test_stopping_leaves_nothing_running() -> None:
    """Also not a check that is in the middle of it."""
    async with running(Asked(never), Asked(good, name="redis")):
        await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_the_worker_can_do_without_is_asked_at_its_own_pace() -> None:
    """Only what it waits for is asked more often while it is away."""
    waited_for = Asked(bad, name="postgresql")
    other = Asked(bad, name="s3", required=False)
    checks = Checks(
        interval_seconds=1000,
        timeout_seconds=TIMEOUT,
        clock=AheadClock(),
        metrics=make_metrics(versions={}),
    )
    checks.add(waited_for)
    checks.add(other)
    stop = asyncio.Event()
    task = asyncio.create_task(checks.run(stop))

    await eventually(lambda: waited_for.times >= 3)

    assert other.times == 1
    stop.set()
    await task
