"""The worker's phases: forward only."""

import pytest

from gateway_worker.health.lifecycle import Lifecycle, Phase
from tests.support.clocks import ManualClock


def test_a_worker_starts_runs_drains_and_stops() -> None:
    """The phases follow each other, and each knows when it began."""
    lifecycle = Lifecycle(clock=ManualClock(step_seconds=1))
    seen = [(lifecycle.phase, lifecycle.since)]

    for phase in (Phase.RUNNING, Phase.DRAINING, Phase.STOPPED):
        lifecycle.enter(phase)
        seen.append((lifecycle.phase, lifecycle.since))

    assert [phase for phase, _ in seen] == list(Phase)
    assert sorted(since for _, since in seen) == [since for _, since in seen]
    assert lifecycle.started_at == seen[0][1]
    assert lifecycle.uptime_seconds > 0


def test_entering_the_same_phase_again_changes_nothing() -> None:
    """A second stop signal does not make the drain look younger."""
    lifecycle = Lifecycle(clock=ManualClock(step_seconds=1))
    lifecycle.enter(Phase.DRAINING)
    since = lifecycle.since

    lifecycle.enter(Phase.DRAINING)

    assert lifecycle.since == since


def test_there_is_no_way_back() -> None:
    """A draining worker cannot be ready again; both phases are named."""
    lifecycle = Lifecycle(clock=ManualClock(step_seconds=1))
    lifecycle.enter(Phase.DRAINING)

    with pytest.raises(ValueError, match="is draining cannot be running"):
        lifecycle.enter(Phase.RUNNING)
