"""The auditor finds what is out of order or missing in a session's stream."""

from dataclasses import replace

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import Kind
from tests.unit.devkit.chaos.builder import Story, breaches


def test_outcomes_follow_the_order_of_publication() -> None:
    """The second command's outcome comes before the first one's."""
    story = Story.linked()
    story.send("c0")
    story.send("c1")
    story.show("c0")
    story.succeed("c1")
    story.tell(kind=Kind.SUCCEEDED, command_id="c0", message_id="wa-c0")
    (offence,) = audit(story.history()).offences

    assert (offence.breach, offence.identity) == (Breach.OUT_OF_ORDER, "c0")


def test_a_move_may_overtake_sends_that_wait() -> None:
    """Its outcome may come before theirs, which keep their order."""
    story = Story.linked()
    story.send("c0")
    story.send("c1")
    story.migrate("m")
    story.tell(kind=Kind.SUCCEEDED, command_id="m")
    story.succeed("c0")
    story.succeed("c1")

    assert breaches(story) == []


def test_no_send_overtakes_a_move() -> None:
    """A send that was published after a move begins when that has ended."""
    story = Story.linked()
    story.migrate("m")
    story.send("c0")
    story.succeed("c0")
    story.tell(kind=Kind.SUCCEEDED, command_id="m")
    (offence,) = audit(story.history()).offences

    assert (offence.breach, offence.identity) == (Breach.OUT_OF_ORDER, "m")


def test_messages_appear_at_the_phone_in_the_order_of_publication() -> None:
    """Where each is first shown counts."""
    story = Story.clean()
    story.seen_by_phones.append(story.seen_by_phones[0])
    assert breaches(story) == []
    story.seen_by_phones[0], story.seen_by_phones[1] = (
        story.seen_by_phones[1],
        story.seen_by_phones[0],
    )

    assert breaches(story) == [Breach.OUT_OF_ORDER]


def test_what_a_phone_has_asked_for_again_has_no_order() -> None:
    """It was sent in its place, and shown when it could be read; its outcome has its order."""
    story = Story.linked()
    for command_id in ("c0", "c1"):
        story.send(command_id)
    for command_id in ("c0", "c1"):
        story.tell(kind=Kind.SUCCEEDED, command_id=command_id, message_id=f"wa-{command_id}")
    story.show("c1")
    story.show("c0", asked_again=True)
    assert breaches(story) == []

    story.events_seen[-2:] = reversed(story.events_seen[-2:])
    story.seen_by_phones[-1] = replace(story.seen_by_phones[-1], asked_again=False)
    assert set(breaches(story)) == {Breach.OUT_OF_ORDER}


def test_events_arrive_in_the_order_of_their_numbers() -> None:
    """Two events that changed places on their way."""
    story = Story.clean()
    story.status(SessionState.RECONNECTING, StatusReason.CONNECTION_LOST)
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED)
    story.events_seen[-1], story.events_seen[-2] = story.events_seen[-2], story.events_seen[-1]

    assert breaches(story) == [Breach.OUT_OF_ORDER]


def test_messages_are_announced_in_the_order_of_writing() -> None:
    """The events are in order, but not what they tell."""
    story = Story.linked()
    for name in ("m0", "m1"):
        story.write(name)
    for name in ("m1", "m0"):
        story.tell(kind=Kind.RECEIVED, message_id=name)
    assert breaches(story) == [Breach.OUT_OF_ORDER]
    story.tell(kind=Kind.UNDECRYPTABLE, message_id="m0")

    assert breaches(story) == [], "what its phone had to send again has no order"


def test_messages_from_a_dead_workers_disk_have_no_order() -> None:
    """Confirmed before the session was taken over, announced after newer ones."""
    story = Story.clean()
    story.write("m3")
    story.status(SessionState.CONNECTING, StatusReason.TAKEN_OVER, worker="b")
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
    story.receive("m4")
    story.tell(kind=Kind.RECEIVED, message_id="m3")
    verdict = audit(story.history())

    assert verdict.passed
    assert [one.identity for one in verdict.late] == ["m3"]


@pytest.mark.parametrize("moment", ["before it is connected", "afterwards"])
def test_a_host_that_wakes_up_confirms_until_the_new_one_is_connected(moment: str) -> None:
    """What comes later cannot be on a former owner's disk."""
    story = Story.clean()
    story.status(SessionState.CONNECTING, StatusReason.TAKEN_OVER, worker="b")
    story.now += 5
    if moment == "afterwards":
        story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
        story.now += 5
    story.write("m3")
    if moment != "afterwards":
        story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
    story.receive("m4")
    story.tell(kind=Kind.RECEIVED, message_id="m3")

    assert breaches(story) == ([Breach.OUT_OF_ORDER] if moment == "afterwards" else [])


@pytest.mark.parametrize("case", ["handed over", "not confirmed"])
def test_other_moves_are_no_excuse_for_disorder(case: str) -> None:
    """Who hands over takes the disk along; what was not confirmed is WhatsApp's to send."""
    story = Story.clean()
    reason = StatusReason.TAKEN_OVER if case == "not confirmed" else StatusReason.HANDED_OVER
    story.write("m3", confirmed=case != "not confirmed")
    story.status(SessionState.CONNECTING, reason, worker="b")
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
    story.receive("m4")
    story.tell(kind=Kind.RECEIVED, message_id="m3")

    assert breaches(story) == [Breach.OUT_OF_ORDER]


@pytest.mark.parametrize("event", [0, 3])
def test_an_event_that_never_came_is_a_gap(event: int) -> None:
    """The first as well as one in the middle: the numbers begin at 1."""
    story = Story.clean()
    del story.events_seen[event]

    assert Breach.EVENT_GAP in breaches(story)


def test_a_number_that_two_events_have_is_a_gap() -> None:
    """Two writers for one session would do that."""
    story = Story.clean()
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED)
    story.sequence -= 1
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED)

    assert breaches(story) == [Breach.EVENT_GAP]


def test_an_event_without_a_number_is_no_gap() -> None:
    """The outcome of a command that the session's worker did not run."""
    story = Story.clean()
    story.send("c3")
    story.sequence -= 1
    story.fail("c3", "session_not_found", sequence=None)

    assert breaches(story) == []


def test_a_question_may_be_answered_before_and_after_everything() -> None:
    """It overtakes sends, and what was published after it."""
    story = Story.clean()
    story.check("q0")
    story.send("c3")
    story.check("q1")
    story.tell(kind=Kind.SUCCEEDED, command_id="q1")
    story.show("c3")
    story.succeed("c3")
    story.tell(kind=Kind.SUCCEEDED, command_id="q0")

    assert breaches(story) == []
