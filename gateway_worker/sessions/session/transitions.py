"""The states of a session and the steps between them.

created ──► pairing ──► connecting ──► connected ◄──► reconnecting
               │             │             │               │
               └─────────────┴──────┬──────┴───────────────┘
                                    ▼
                 stopped · logged_out · banned · failed   (left only by a restart)
"""

from gateway_contracts import SessionState

_END = frozenset(
    {SessionState.STOPPED, SessionState.LOGGED_OUT, SessionState.BANNED, SessionState.FAILED}
)
_START = frozenset({SessionState.PAIRING, SessionState.CONNECTING})

TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    SessionState.CREATED: _START | _END,
    SessionState.PAIRING: _START | {SessionState.RECONNECTING} | _END,
    SessionState.CONNECTING: _START | {SessionState.CONNECTED, SessionState.RECONNECTING} | _END,
    SessionState.CONNECTED: _START | {SessionState.RECONNECTING} | _END,
    SessionState.RECONNECTING: _START | {SessionState.CONNECTED, SessionState.RECONNECTING} | _END,
    SessionState.STOPPED: _START | _END,
    SessionState.LOGGED_OUT: _START | _END,
    SessionState.BANNED: _START | _END,
    SessionState.FAILED: _START | _END,
}
"""Where a session may go from each state."""


class IllegalTransitionError(RuntimeError):
    """A step that the table does not have: a fault in the gateway."""

    def __init__(self, current: SessionState, wanted: SessionState) -> None:
        super().__init__(f"a session cannot go from {current} to {wanted}")


def check_transition(current: SessionState, wanted: SessionState) -> None:
    """Raise `IllegalTransitionError` unless the table allows the step."""
    if wanted not in TRANSITIONS[current]:
        raise IllegalTransitionError(current, wanted)


def is_running(state: SessionState) -> bool:
    """Whether a session in this state has, or is about to have, a host."""
    return state not in _END and state is not SessionState.CREATED
