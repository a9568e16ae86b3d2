"""How long sessions were away: after the death of their worker, and when they were handed over."""

from collections import defaultdict

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.audit.verdict import Spread
from gateway_worker.devkit.chaos.history import EventSeen, History, Kind

_ORDERLY = frozenset({StatusReason.HANDED_OVER, StatusReason.WORKER_DRAINING})


def takeover_times(history: History) -> Spread:
    """Measure from a worker's death until each of its sessions is connected on another one."""
    states = _states(history)
    times = []
    for loss in history.losses:
        for session_id in loss.sessions:
            connected = next(
                (
                    told.at
                    for told in states[session_id]
                    if told.at > loss.at
                    and told.state is SessionState.CONNECTED
                    and told.worker != loss.worker
                ),
                None,
            )
            if connected is not None:
                times.append(connected - loss.at)
    return Spread.of(times)


def handover_times(history: History) -> Spread:
    """Measure from the word that a session moves until it is connected again."""
    times = []
    for states in _states(history).values():
        left: float | None = None
        for told in states:
            if told.state is SessionState.CONNECTED and left is not None:
                times.append(told.at - left)
                left = None
            elif told.reason in _ORDERLY and told.state is SessionState.RECONNECTING:
                left = told.at
    return Spread.of(times)


def _states(history: History) -> dict[str, list[EventSeen]]:
    """Return each session's changes of state, in order."""
    states: dict[str, list[EventSeen]] = defaultdict(list)
    for told in history.events_seen:
        if told.kind is Kind.STATUS:
            states[told.session_id].append(told)
    for changes in states.values():
        changes.sort(key=lambda told: told.sequence or 0)
    return states
