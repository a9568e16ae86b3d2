"""The table of states, and what follows from the end of a connection."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.host_protocol.signals import Ended, PairingEnd, PairingFailed
from gateway_worker.sessions.session.disconnects import disconnect_of
from gateway_worker.sessions.session.transitions import (
    TRANSITIONS,
    IllegalTransitionError,
    check_transition,
    is_running,
)


def test_every_state_has_a_row_in_the_table() -> None:
    """No state is forgotten."""
    assert set(TRANSITIONS) == set(SessionState)


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        (SessionState.CREATED, SessionState.CONNECTED),
        (SessionState.STOPPED, SessionState.CONNECTED),
        (SessionState.LOGGED_OUT, SessionState.RECONNECTING),
        (SessionState.PAIRING, SessionState.CONNECTED),
    ],
)
def test_a_step_that_the_table_lacks_names_both_states(
    current: SessionState, wanted: SessionState
) -> None:
    """The message says from where to where."""
    with pytest.raises(IllegalTransitionError, match=rf"{current} to {wanted}"):
        check_transition(current, wanted)


@pytest.mark.parametrize("state", list(SessionState))
def test_every_state_can_be_stopped_and_started(state: SessionState) -> None:
    """An operator is never locked out of a session."""
    check_transition(state, SessionState.STOPPED)
    check_transition(state, SessionState.CONNECTING)
    check_transition(state, SessionState.PAIRING)


def test_nothing_leads_back_to_created() -> None:
    """A session is created once."""
    assert all(SessionState.CREATED not in targets for targets in TRANSITIONS.values())


@pytest.mark.parametrize(
    ("reason", "state", "status_reason"),
    [
        ("logged_out", SessionState.LOGGED_OUT, StatusReason.LOGGED_OUT_FROM_PHONE),
        ("replaced", SessionState.STOPPED, StatusReason.STREAM_REPLACED),
        ("temporary_ban", SessionState.BANNED, StatusReason.TEMPORARY_BAN),
        ("banned", SessionState.BANNED, StatusReason.ACCOUNT_BANNED),
        ("client_outdated", SessionState.FAILED, StatusReason.CLIENT_OUTDATED),
        ("refused", SessionState.FAILED, StatusReason.CONNECT_REFUSED),
        ("store_lost", SessionState.FAILED, StatusReason.STORE_LOST),
        ("something new", SessionState.FAILED, StatusReason.CONNECT_REFUSED),
    ],
)
def test_each_end_of_a_connection_has_its_state_and_reason(
    reason: str, state: SessionState, status_reason: StatusReason
) -> None:
    """Final ends stay until a command restarts the session."""
    ending = disconnect_of(Ended(reason=reason, detail="why"))

    assert (ending.state, ending.reason, ending.final) == (state, status_reason, True)
    assert not is_running(ending.state)


@pytest.mark.parametrize(
    ("reason", "status_reason"),
    [
        ("unreachable", StatusReason.PROXY_UNREACHABLE),
        ("refused_for_now", StatusReason.CONNECT_REFUSED),
        ("store_unreachable", StatusReason.CONNECTION_LOST),
    ],
)
def test_what_may_pass_is_tried_again(reason: str, status_reason: StatusReason) -> None:
    """It is no end, only a pause."""
    ending = disconnect_of(Ended(reason=reason, detail="why"))

    assert ending.final is False
    assert ending.reason is status_reason


def test_only_an_unlinked_device_is_forgotten() -> None:
    """A replaced or banned session keeps its keys."""
    forgetting = {
        reason
        for reason in ("logged_out", "replaced", "temporary_ban", "banned", "client_outdated")
        if disconnect_of(Ended(reason=reason, detail="")).forget
    }

    assert forgetting == {"logged_out"}


def test_a_temporary_ban_tells_when_it_ends() -> None:
    """`retry_at` is counted from now."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ending = disconnect_of(Ended(reason="temporary_ban", detail="", retry_after_seconds=60))

    assert ending.retry_at(now) == now + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (PairingEnd.TIMED_OUT, StatusReason.QR_TIMEOUT),
        (PairingEnd.PASSKEY, StatusReason.PASSKEY_REQUIRED),
        (PairingEnd.FAILED, StatusReason.PAIRING_FAILED),
    ],
)
def test_a_pairing_that_fails_leaves_the_session_failed(
    end: PairingEnd, reason: StatusReason
) -> None:
    """A restart shows new QR codes."""
    ending = disconnect_of(PairingFailed(end=end, detail=""))

    assert (ending.state, ending.reason) == (SessionState.FAILED, reason)
