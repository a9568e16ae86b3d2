"""Asks every dependency in the background whether it can be used, and remembers the answers.

Probes read the memory, so they are answered at once even while a dependency hangs. An answer that
has become too old counts as a failure: whatever keeps the checks from running is one too.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from gateway_worker.log import redact_text
from gateway_worker.metrics import Metrics
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.retry import Backoff

log = structlog.get_logger(__name__)

_CANCEL_SECONDS = 1.0
_AGAIN_SECONDS = 0.25
"""The longest first pause before what the worker waits for is asked again; the next ones grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One answer.

    Attributes:
        ok: Whether the dependency can be used.
        detail: Why not, or anything worth knowing; shown as it is, so without secrets.
    """

    ok: bool
    detail: str = ""


class Check(Protocol):
    """How one dependency is asked."""

    @property
    def name(self) -> str:
        """The dependency: `rabbitmq`, `postgresql`, `redis`, `s3`."""
        ...

    @property
    def required(self) -> bool:
        """Whether the worker is not ready without it."""
        ...

    async def check(self) -> CheckResult:
        """Ask once. May raise, which counts as a failure, and may be cancelled if it takes long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """How a dependency stands.

    Attributes:
        name: The dependency.
        required: Whether the worker is not ready without it.
        ok: Whether it could be used at the last check.
        detail: Why not.
        since: Since when it has been so (UTC).
        checked_at: Monotonic time of the last answer, in seconds; None before the first.
        duration_seconds: How long the last answer took.
    """

    name: str
    required: bool
    ok: bool
    detail: str
    since: datetime
    checked_at: float | None = None
    duration_seconds: float = 0.0


class Checks:
    """Runs the checks, each at its own pace, so that one that hangs delays no other.

    Args:
        interval_seconds: Time between the end of a check and its next start.
        timeout_seconds: A check that takes longer has failed and is cancelled.
        clock: For intervals and the times shown.
        metrics: Where `dependency_up` is kept.
        backoff: Makes the pauses after checks that failed: short at first, so that the end of a
            short outage is noticed soon, and no longer than the interval.
    """

    def __init__(
        self,
        *,
        interval_seconds: float,
        timeout_seconds: float,
        clock: Clock,
        metrics: Metrics,
        backoff: Callable[[], Backoff] | None = None,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._metrics = metrics
        self._backoff = backoff or self._usual_backoff
        self._checks: dict[str, Check] = {}
        self._states: dict[str, CheckState] = {}
        self._watchers: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, check: Check) -> None:
        """Begin to ask a dependency, also while the checks are running already.

        Raises:
            ValueError: There is a check of that name.
        """
        if check.name in self._checks:
            raise ValueError(f"there is a check of {check.name} already")
        self._checks[check.name] = check
        self._states[check.name] = CheckState(
            name=check.name,
            required=check.required,
            ok=False,
            detail="not checked yet",
            since=self._clock.now(),
        )
        self._metrics.dependency_up.labels(check.name).set(0)
        if self._watchers is not None:
            self._watch(check)

    def states(self) -> list[CheckState]:
        """Return how every dependency stands, answers that are too old as failures. Thread-safe."""
        return [self._aged(state) for state in list(self._states.values())]

    async def run(self, stop: asyncio.Event) -> None:
        """Check until `stop` is set."""
        async with asyncio.TaskGroup() as self._watchers:
            for check in self._checks.values():
                self._watch(check)
            await stop.wait()
            for task in self._tasks:
                task.cancel()
        self._watchers = None

    def _watch(self, check: Check) -> None:
        assert self._watchers is not None
        task = self._watchers.create_task(self._repeat(check), name=f"check:{check.name}")
        self._tasks.append(task)

    async def _repeat(self, check: Check) -> None:
        again = self._backoff()
        while True:
            began = self._clock.monotonic()
            task = asyncio.create_task(check.check(), name=f"check:{check.name}:once")
            try:
                await asyncio.wait((task,), timeout=self._timeout_seconds)
                self._note(check, self._answer(task), self._clock.monotonic() - began)
            finally:
                await _end(task)
            await asyncio.sleep(self._pause_seconds(check, again))

    def _pause_seconds(self, check: Check, again: Backoff) -> float:
        """Return when to ask again: soon, if its outage is recent and the worker waits for it."""
        if self._states[check.name].ok:
            again.reset()
            return self._interval_seconds
        return again.next_seconds() if check.required else self._interval_seconds

    def _usual_backoff(self) -> Backoff:
        return Backoff(
            initial_seconds=min(self._interval_seconds, _AGAIN_SECONDS),
            maximum_seconds=self._interval_seconds,
        )

    def _answer(self, task: "asyncio.Task[CheckResult]") -> CheckResult:
        if not task.done():
            return CheckResult(ok=False, detail=f"no answer in {self._timeout_seconds:g} s")
        try:
            return task.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it cannot be used
            return CheckResult(ok=False, detail=f"{type(error).__name__}: {error}".rstrip(": "))

    def _note(self, check: Check, result: CheckResult, seconds: float) -> None:
        before = self._states[check.name]
        first = before.checked_at is None
        changed = first or before.ok is not result.ok
        detail = redact_text(result.detail)
        self._states[check.name] = CheckState(
            name=check.name,
            required=check.required,
            ok=result.ok,
            detail=detail,
            since=self._clock.now() if changed else before.since,
            checked_at=self._clock.monotonic(),
            duration_seconds=seconds,
        )
        self._metrics.dependency_up.labels(check.name).set(result.ok)
        if changed and result.ok:
            log.info("dependency.up", dependency=check.name)
        elif changed:
            log.warning("dependency.down", dependency=check.name, detail=detail)

    def _aged(self, state: CheckState) -> CheckState:
        if state.checked_at is None:
            return state
        age = self._clock.monotonic() - state.checked_at
        limit = 2 * (self._interval_seconds + self._timeout_seconds) + _CANCEL_SECONDS
        if age <= limit:
            return state
        return CheckState(
            name=state.name,
            required=state.required,
            ok=False,
            detail=f"not checked for {age:.0f} s",
            since=state.since,
            checked_at=state.checked_at,
            duration_seconds=state.duration_seconds,
        )


async def _end(task: "asyncio.Task[CheckResult]") -> None:
    """Leave no check running; one that resists its cancellation delays only its own successor."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_CANCEL_SECONDS)
    if not task.cancelled():
        with contextlib.suppress(Exception):
            task.result()
