"""What the endpoints answer."""

from gateway_contracts import SessionState
from gateway_worker.health import (
    CheckResult,
    Checks,
    Lifecycle,
    Phase,
    features_section,
    resources_section,
    sessions_section,
)
from gateway_worker.health.report import Readiness
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.metrics import make_metrics
from gateway_worker.runtime.clock import SystemClock


class Answering:
    """A dependency that is asked by the test itself."""

    def __init__(self, name: str, *, required: bool) -> None:
        self.name = name
        self.required = required

    async def check(self) -> CheckResult:
        """Answer that all is well."""
        return CheckResult(ok=True)


class Holding:
    """Stands for the session manager."""

    capacity = 50

    def states(self) -> dict[SessionState, int]:
        """Return two states."""
        return {SessionState.CONNECTED: 3, SessionState.PAIRING: 1}


def make(*, phase: Phase) -> tuple[Readiness, Checks]:
    """Make a worker in a phase with a required and an optional dependency."""
    clock = SystemClock()
    checks = Checks(
        interval_seconds=1,
        timeout_seconds=1,
        clock=clock,
        metrics=make_metrics(versions={}),
    )
    checks.add(Answering("postgresql", required=True))
    checks.add(Answering("s3", required=False))
    lifecycle = Lifecycle(clock=clock)
    lifecycle.enter(phase)
    return Readiness(lifecycle=lifecycle, checks=checks), checks


def answer(checks: Checks, name: str, result: CheckResult) -> None:
    """Let a check have had a result."""
    checks._note(checks._checks[name], result, 0.01)


def test_a_running_worker_with_all_it_needs_is_ready() -> None:
    """An optional dependency that is down is shown, and no reason."""
    readiness, checks = make(phase=Phase.RUNNING)
    answer(checks, "postgresql", CheckResult(ok=True))
    answer(checks, "s3", CheckResult(ok=False, detail="no bucket"))

    report = readiness.report()

    assert report["ready"] is True
    assert report["reasons"] == []
    assert report["dependencies"]["s3"]["ok"] is False
    assert report["dependencies"]["s3"]["detail"] == "no bucket"
    assert report["dependencies"]["postgresql"]["ok"] is True


def test_a_required_dependency_that_is_down_is_a_reason() -> None:
    """It is named, with what is wrong."""
    readiness, checks = make(phase=Phase.RUNNING)
    answer(checks, "postgresql", CheckResult(ok=False, detail="no route"))

    report = readiness.report()

    assert report["ready"] is False
    assert report["reasons"] == ["postgresql: no route"]


def test_a_worker_that_does_not_run_is_not_ready() -> None:
    """While it starts and while it drains, whatever the dependencies say."""
    for phase in (Phase.STARTING, Phase.DRAINING, Phase.STOPPED):
        readiness, checks = make(phase=phase)
        answer(checks, "postgresql", CheckResult(ok=True))

        report = readiness.report()

        assert report["ready"] is False
        assert report["reasons"] == [f"the worker is {phase}"]


def test_sections_are_plain_values() -> None:
    """Sessions with every state, resources as last measured."""
    sessions = sessions_section(Holding())()
    resources = resources_section(ResourceMeter(host_pids=list, pss_bytes=lambda _pid: 0))()

    assert sessions["held"] == 4
    assert sessions["capacity"] == 50
    assert sessions["by_state"]["connected"] == 3
    assert sessions["by_state"]["banned"] == 0
    assert features_section(("bulk", "status"), {"status"})() == {"bulk": False, "status": True}
    assert set(resources) >= {"worker_rss_bytes", "hosts_pss_bytes", "hosts", "cpu_percent"}
