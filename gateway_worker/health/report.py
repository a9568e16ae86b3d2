"""Puts together what the endpoints answer: plain values, ready for JSON."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from gateway_contracts import SessionState
from gateway_worker.health.checks import Checks, CheckState
from gateway_worker.health.lifecycle import Lifecycle, Phase
from gateway_worker.health.resources import ResourceMeter

Section = Callable[[], Mapping[str, Any]]
"""Returns one part of `/health`: quick, plain values, called on the worker's event loop."""


class Carried(Protocol):
    """What the worker carries."""

    @property
    def capacity(self) -> int:
        """Sessions it may hold."""
        ...

    def states(self) -> dict[SessionState, int]:
        """Return how many sessions are in each state."""
        ...


def sessions_section(carried: Carried) -> Section:
    """Make the part about sessions: how many, how many there may be, in which states."""

    def section() -> dict[str, Any]:
        states = carried.states()
        return {
            "capacity": carried.capacity,
            "held": sum(states.values()),
            "by_state": {state.value: states.get(state, 0) for state in SessionState},
        }

    return section


def features_section(known: Collection[str], on: Collection[str]) -> Section:
    """Make the part about what an operator switches: whether each feature is on."""
    return lambda: {str(name): name in on for name in known}


def resources_section(meter: ResourceMeter) -> Section:
    """Make the part about memory and CPU, as of the last measurement."""
    return lambda: asdict(meter.last)


class Readiness:
    """Whether the worker should be counted on, and why not. Thread-safe.

    Args:
        lifecycle: Only a running worker is ready.
        checks: Every required dependency has to be usable.
    """

    def __init__(self, *, lifecycle: Lifecycle, checks: Checks) -> None:
        self._lifecycle = lifecycle
        self._checks = checks

    def report(self) -> dict[str, Any]:
        """Return `ready`, the phase, the reasons against and every dependency."""
        states = self._checks.states()
        phase = self._lifecycle.phase
        reasons = [] if phase is Phase.RUNNING else [f"the worker is {phase}"]
        reasons += [
            f"{state.name}: {state.detail}" for state in states if state.required and not state.ok
        ]
        return {
            "ready": not reasons,
            "phase": phase.value,
            "reasons": reasons,
            "dependencies": {state.name: _dependency(state) for state in states},
        }


def _dependency(state: CheckState) -> dict[str, Any]:
    return {
        "ok": state.ok,
        "required": state.required,
        "detail": state.detail,
        "since": state.since.isoformat(timespec="seconds"),
        "check_ms": round(1000 * state.duration_seconds, 1),
    }
