"""The auditor finds sessions that did not come back, and measures how long others took."""

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import Kind, WorkerLoss
from tests.unit.devkit.chaos.builder import Story, breaches


def test_a_code_after_the_session_was_linked_is_named() -> None:
    """Even if somebody scans it."""
    story = Story.clean()
    story.tell(kind=Kind.QR)
    story.status(SessionState.CONNECTED, StatusReason.PAIRED)

    assert breaches(story) == [Breach.NEW_QR]


@pytest.mark.parametrize(
    ("state", "reason", "breach"),
    [
        (SessionState.LOGGED_OUT, StatusReason.LOGGED_OUT_FROM_PHONE, Breach.NEW_QR),
        (SessionState.FAILED, StatusReason.STORE_LOST, Breach.NEW_QR),
        (SessionState.PAIRING, StatusReason.REQUESTED, Breach.NEW_QR),
        (SessionState.STOPPED, StatusReason.STREAM_REPLACED, Breach.NOT_CONNECTED),
        (SessionState.RECONNECTING, StatusReason.CONNECTION_LOST, Breach.NOT_CONNECTED),
    ],
)
def test_a_session_that_is_not_connected_at_the_end_is_named(
    state: SessionState, reason: StatusReason, breach: Breach
) -> None:
    """By what it would take to get it back."""
    story = Story.clean()
    story.status(state, reason)

    assert breaches(story) == [breach]


def test_takeovers_are_measured_from_the_kill_to_the_connection_elsewhere() -> None:
    """The dead worker's own return does not count."""
    story = Story.clean()
    story.losses.append(WorkerLoss(worker="a", at=story.now, sessions=("one",)))
    story.now += 3
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="a")
    story.now += 3
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
    verdict = audit(story.history())

    assert verdict.takeover.seconds == (8.0,)
    assert verdict.takeover.maximum == 8.0


def test_handovers_are_measured_from_the_word_to_the_connection() -> None:
    """Orderly ones only; a lost connection is none."""
    story = Story.clean()
    for reason, seconds in (
        (StatusReason.HANDED_OVER, 2),
        (StatusReason.CONNECTION_LOST, 50),
        (StatusReason.WORKER_DRAINING, 4),
    ):
        story.status(SessionState.RECONNECTING, reason)
        story.now += seconds - 1
        story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED)
    verdict = audit(story.history())

    assert verdict.handover.seconds == (2.0, 4.0)
    assert (verdict.handover.percentile(0.5), verdict.handover.percentile(0.99)) == (2.0, 4.0)


def test_nothing_measured_is_said_so() -> None:
    """No takeover is not a takeover in no time."""
    assert audit(Story.clean().history()).takeover.maximum is None
