"""The schedule: repeatable, dense, of all kinds, and never of all workers at once."""

from dataclasses import replace

import pytest

from gateway_worker.devkit.chaos.crew_faults import CrewFaults
from gateway_worker.devkit.chaos.hostile_faults import HostileFaults
from gateway_worker.devkit.chaos.outside_faults import OutsideFaults
from gateway_worker.devkit.chaos.plan import KINDS, PlanOptions, Strike, Target, draw_plan

TWENTY_MINUTES = PlanOptions(seed=1, seconds=1200, workers=3, sessions=30, lease_seconds=6)
BY_NAME = {kind.name: kind for kind in KINDS}
SEEDS = range(5)
FAULTS = (CrewFaults, OutsideFaults, HostileFaults)


def test_the_same_seed_gives_the_same_plan() -> None:
    """And another seed another one."""
    assert draw_plan(TWENTY_MINUTES) == draw_plan(TWENTY_MINUTES)
    assert draw_plan(TWENTY_MINUTES) != draw_plan(replace(TWENTY_MINUTES, seed=2))


@pytest.mark.parametrize("seed", SEEDS)
def test_twenty_minutes_have_two_hundred_faults_of_all_kinds(seed: int) -> None:
    """As the audit of a long run asks for."""
    plan = draw_plan(replace(TWENTY_MINUTES, seed=seed))

    assert len(plan) >= 200
    assert {strike.kind for strike in plan} == set(BY_NAME)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_worker_always_stays(seed: int) -> None:
    """While one is away another one is there."""
    plan = draw_plan(replace(TWENTY_MINUTES, seed=seed, workers=2))
    away = [strike for strike in plan if BY_NAME[strike.kind].is_away]

    assert away
    for strike in away:
        others = [
            other
            for other in away
            if other.at_seconds < strike.at_seconds < _until(other) and other is not strike
        ]
        assert others == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_service_is_left_alone_until_it_is_back(seed: int) -> None:
    """And the broker at the beginning: it forgets queues that were just declared."""
    plan = draw_plan(replace(TWENTY_MINUTES, seed=seed))
    struck: dict[str, float] = {}
    for strike in plan:
        if BY_NAME[strike.kind].target is Target.SERVICE:
            assert strike.at_seconds >= struck.get(strike.service, 0.0)
            struck[strike.service] = _until(strike)
        if strike.service == "rabbitmq" and strike.kind.startswith("broker"):
            assert strike.at_seconds >= 15


def test_only_the_kinds_that_are_wished() -> None:
    """And no plan for a kind that does not exist."""
    plan = draw_plan(replace(TWENTY_MINUTES, only=("migrate", "host_kill")))

    assert {strike.kind for strike in plan} == {"migrate", "host_kill"}
    with pytest.raises(ValueError, match="no such faults: hots_kill"):
        draw_plan(replace(TWENTY_MINUTES, only=("hots_kill",)))


def test_every_kind_can_be_done() -> None:
    """Each row of the table has its method."""
    for kind in KINDS:
        owners = [one for one in FAULTS if hasattr(one, kind.name)]
        assert len(owners) == 1, kind.name


def _until(strike: Strike) -> float:
    return strike.at_seconds + strike.seconds + BY_NAME[strike.kind].back_seconds - 0.02
