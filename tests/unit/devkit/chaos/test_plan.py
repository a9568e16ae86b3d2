"""The schedule: repeatable, dense, of all kinds, and never of all workers at once."""

from dataclasses import replace

import pytest

from gateway_worker.devkit.chaos.hostile_faults import HostileFaults
from gateway_worker.devkit.chaos.node_faults import NodeFaults
from gateway_worker.devkit.chaos.plan import (
    KINDS,
    Injection,
    PlanOptions,
    Target,
    Topology,
    draw_plan,
)
from gateway_worker.devkit.chaos.service_faults import ServiceFaults
from gateway_worker.devkit.chaos.worker_faults import WorkerFaults

TWENTY_MINUTES = PlanOptions(seed=1, seconds=1200, workers=3, sessions=30, lease_seconds=6)
BY_NAME = {kind.name: kind for kind in KINDS}
SEEDS = range(5)
FAULTS = (WorkerFaults, ServiceFaults, HostileFaults, NodeFaults)


def test_the_same_seed_gives_the_same_plan() -> None:
    """And another seed another one."""
    assert draw_plan(TWENTY_MINUTES) == draw_plan(TWENTY_MINUTES)
    assert draw_plan(TWENTY_MINUTES) != draw_plan(replace(TWENTY_MINUTES, seed=2))


@pytest.mark.parametrize("seed", SEEDS)
def test_twenty_minutes_have_two_hundred_faults_of_all_kinds(seed: int) -> None:
    """As the audit of a long run asks for."""
    for topology in Topology:
        options = replace(TWENTY_MINUTES, seed=seed, topology=topology)
        plan = draw_plan(options)

        assert len(plan) >= 200
        assert {injection.kind for injection in plan} == {kind.name for kind in options.kinds}


@pytest.mark.parametrize("seed", SEEDS)
def test_one_worker_always_stays(seed: int) -> None:
    """While one is away another one is there."""
    plan = draw_plan(replace(TWENTY_MINUTES, seed=seed, workers=2))
    away = [injection for injection in plan if BY_NAME[injection.kind].is_away]

    assert away
    for injection in away:
        others = [
            other
            for other in away
            if other.at_seconds < injection.at_seconds < _until(other) and other is not injection
        ]
        assert others == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_service_is_left_alone_until_it_is_back(seed: int) -> None:
    """And the broker at the beginning: it forgets queues that were just declared."""
    for topology in Topology:
        plan = draw_plan(replace(TWENTY_MINUTES, seed=seed, topology=topology))
        injected: dict[str, float] = {}
        for injection in plan:
            if BY_NAME[injection.kind].target is Target.SERVICE:
                assert injection.at_seconds >= injected.get(injection.service, 0.0)
                injected[injection.service] = _until(injection)
            if injection.service == "rabbitmq" and injection.kind.startswith(("broker", "node")):
                assert injection.at_seconds >= 15


def test_only_the_kinds_that_are_wished() -> None:
    """And no plan for a kind that does not exist."""
    plan = draw_plan(replace(TWENTY_MINUTES, only=("migrate", "host_kill")))

    assert {injection.kind for injection in plan} == {"migrate", "host_kill"}
    with pytest.raises(ValueError, match="no such faults: hots_kill"):
        draw_plan(replace(TWENTY_MINUTES, only=("hots_kill",)))
    with pytest.raises(ValueError, match="no such faults: node_kill"):
        draw_plan(replace(TWENTY_MINUTES, only=("node_kill",)))


def test_every_kind_can_be_done() -> None:
    """Each row of the table has its method."""
    for kind in KINDS:
        owners = [one for one in FAULTS if hasattr(one, kind.name)]
        assert len(owners) == 1, kind.name


def _until(injection: Injection) -> float:
    return injection.at_seconds + injection.seconds + BY_NAME[injection.kind].back_seconds - 0.02
