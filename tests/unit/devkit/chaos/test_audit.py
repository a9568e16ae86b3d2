"""The auditor finds every kind of broken promise, and none where all were kept."""

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.audit.arrivals import WINDOW_SECONDS
from gateway_worker.devkit.chaos.history import Blow, Harm, Kind, WorkerLoss
from tests.unit.devkit.chaos.builder import Story


def breaches(story: Story) -> list[Breach]:
    """Return what the auditor finds, each once."""
    return list(dict.fromkeys(one.breach for one in audit(story.history()).offences))


def test_a_clean_history_passes() -> None:
    """Everything kept: no offence, and the counts are right."""
    verdict = audit(Story.clean().history())

    assert verdict.offences == ()
    assert verdict.passed
    assert (verdict.commands.issued, verdict.commands.succeeded) == (3, 3)
    assert (verdict.inbound.sent, verdict.inbound.delivered, verdict.inbound.lost) == (3, 3, 0)


def test_a_command_without_an_outcome_is_lost() -> None:
    """Also if its message has reached the phone."""
    story = Story.clean()
    story.send("c3")
    story.show("c3")

    (offence,) = audit(story.history()).offences
    assert (offence.breach, offence.identity) == (Breach.COMMAND_LOST, "c3")


def test_a_repeated_outcome_alone_is_no_outcome() -> None:
    """What is told again must have been told."""
    story = Story.clean()
    story.send("c3")
    story.show("c3")
    story.tell(kind=Kind.SUCCEEDED, command_id="c3", message_id="wa-c3", repeated=True)

    assert breaches(story) == [Breach.COMMAND_LOST]


def test_a_success_that_the_phone_never_shows_is_lost() -> None:
    """The outcome is not believed."""
    story = Story.clean()
    story.send("c3")
    story.tell(kind=Kind.SUCCEEDED, command_id="c3", message_id="wa-c3")

    assert breaches(story) == [Breach.COMMAND_LOST]


def test_a_text_that_the_phone_shows_twice_is_doubled() -> None:
    """Under two message ids; the same id twice is one message."""
    story = Story.clean()
    story.show("c2")
    assert breaches(story) == []
    story.show("c2", "wa-other")

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


def test_two_outcomes_are_doubled() -> None:
    """Even if they say the same."""
    story = Story.clean()
    story.tell(kind=Kind.SUCCEEDED, command_id="c2", message_id="wa-c2")

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


def test_an_outcome_told_again_is_no_second_one() -> None:
    """As long as it says the same."""
    story = Story.clean()
    story.tell(kind=Kind.SUCCEEDED, command_id="c0", message_id="wa-c0", repeated=True)
    assert breaches(story) == []
    story.fail("c1", "internal", repeated=True)

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


def test_a_failure_that_took_effect_is_a_contradiction() -> None:
    """Only an uncertain send may have reached the phone."""
    story = Story.clean()
    story.send("c3")
    story.show("c3")
    story.fail("c3", "upstream_timeout")

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


def test_a_certain_failure_is_counted_and_no_breach() -> None:
    """A command may fail; it has one outcome."""
    story = Story.clean()
    story.send("c3")
    story.fail("c3", "session_not_connected")
    verdict = audit(story.history())

    assert verdict.passed
    assert verdict.commands.failed == {"session_not_connected": 1}


def test_a_message_at_the_phone_that_nobody_has_ordered_is_a_contradiction() -> None:
    """A text that belongs to no command."""
    story = Story.clean()
    story.show("stranger")

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


@pytest.mark.parametrize("shown", [True, False])
def test_an_uncertain_send_with_a_killed_host_is_explained(*, shown: bool) -> None:
    """Whether it reached the phone or not."""
    story = Story.clean()
    story.send("c3")
    story.blow()
    if shown:
        story.show("c3")
    story.fail("c3", "uncertain")
    verdict = audit(story.history())

    assert verdict.passed
    assert verdict.commands.uncertain == 1
    assert verdict.commands.explained == {"host_killed": 1}


@pytest.mark.parametrize("moment", ["before", "after", "never", "elsewhere"])
def test_an_uncertain_send_without_a_cause_is_a_breach(moment: str) -> None:
    """A blow explains only what was under way, in its own session."""
    story = Story.clean()
    if moment == "before":
        story.blow()
        story.now += 10
    story.send("c3")
    if moment == "elsewhere":
        story.blow(session_id="two")
    story.fail("c3", "uncertain")
    if moment == "after":
        story.now += 10
        story.blow()

    assert breaches(story) == [Breach.UNCERTAIN_UNEXPLAINED]


@pytest.mark.parametrize(("kills", "expected"), [(39, [Breach.TOO_MANY_UNCERTAIN]), (40, [])])
def test_more_than_one_uncertain_in_twenty_kills_is_too_many(
    kills: int, expected: list[Breach]
) -> None:
    """Each explained, but together too many."""
    story = Story.clean()
    for number in range(3, 5):
        story.send(f"c{number}")
        story.blow()
        story.fail(f"c{number}", "uncertain")
    for _ in range(kills - 2):
        story.blow()

    assert breaches(story) == expected


def test_a_run_with_few_kills_says_nothing_about_rates() -> None:
    """One kill in the wrong moment is no rate."""
    story = Story.clean()
    story.send("c3")
    story.blow()
    story.fail("c3", "uncertain")
    story.write("m3")
    story.blow()

    assert breaches(story) == []


def test_uncertain_sends_while_whatsapp_was_silent_are_not_too_many() -> None:
    """They had been handed over and waited for an answer when their host was killed."""
    story = Story.clean()
    silence = Blow(session_id="one", harm=Harm.SILENCED, at=story.now, until=story.now + 100)
    story.blows.append(silence)
    for number in range(3, 23):
        story.send(f"c{number}")
        story.blow()
        story.fail(f"c{number}", "uncertain")
    verdict = audit(story.history())

    assert verdict.passed
    assert (verdict.commands.uncertain, verdict.commands.unanswered) == (20, 20)


def test_silence_explains_an_uncertain_send() -> None:
    """An answer that WhatsApp could not deliver in time is lost; it counts apart from kills."""
    story = Story.clean()
    story.send("c3")
    story.blow(Harm.SILENCED)
    story.fail("c3", "uncertain")

    assert breaches(story) == []


def test_an_uncertain_send_at_the_phone_twice_is_doubled() -> None:
    """Uncertain is one message or none."""
    story = Story.clean()
    story.send("c3")
    story.blow()
    story.show("c3")
    story.show("c3", "wa-other")
    story.fail("c3", "uncertain")

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


def test_a_message_without_an_event_is_lost() -> None:
    """No host was killed, so there is no excuse."""
    story = Story.clean()
    story.write("m3")
    verdict = audit(story.history())

    assert [one.breach for one in verdict.offences] == [Breach.MESSAGE_LOST]
    assert (verdict.inbound.sent, verdict.inbound.delivered, verdict.inbound.lost) == (4, 3, 1)


def test_a_message_lost_with_its_host_is_inside_the_window() -> None:
    """The library had confirmed it; the host died within two seconds."""
    story = Story.clean()
    story.write("m3")
    story.now += WINDOW_SECONDS
    story.blow()
    verdict = audit(story.history())

    assert verdict.passed
    assert verdict.inbound.lost == 1
    assert [one.identity for one in verdict.inbound.lost_in_window] == ["m3"]


@pytest.mark.parametrize("excuse", ["too late", "never confirmed", "only frozen", "elsewhere"])
def test_a_message_lost_without_an_excuse_is_outside_the_window(excuse: str) -> None:
    """Only a kill at that moment, of that host, counts."""
    story = Story.clean()
    story.write("m3", confirmed=excuse != "never confirmed")
    story.now += 10 if excuse == "too late" else 0
    story.blow(
        Harm.FROZEN if excuse == "only frozen" else Harm.HOST_KILLED,
        session_id="two" if excuse == "elsewhere" else "one",
    )

    assert breaches(story) == [Breach.MESSAGE_LOST]


def test_an_announced_loss_needs_a_killed_host_too() -> None:
    """`message.undecryptable` names it: inside the window only if a kill came before that."""
    story = Story.clean()
    story.write("m3", confirmed=False)
    story.now += 20
    unexcused = story.tell(kind=Kind.UNDECRYPTABLE, message_id="m3")
    assert breaches(story) == [Breach.MESSAGE_LOST]
    story.now = unexcused.at - 10
    story.blow()

    assert breaches(story) == []


@pytest.mark.parametrize(("kills", "expected"), [(29, [Breach.TOO_MANY_LOST]), (30, [])])
def test_more_than_one_message_lost_in_ten_kills_is_too_many(
    kills: int, expected: list[Breach]
) -> None:
    """Each inside the window, but together too many."""
    story = Story.clean()
    for number in range(3, 6):
        story.write(f"m{number}")
        story.blow()
    for _ in range(kills - 3):
        story.blow()

    assert breaches(story) == expected


def test_a_message_with_two_events_is_doubled() -> None:
    """Two events of different ids for one message."""
    story = Story.clean()
    story.tell(kind=Kind.RECEIVED, message_id="m2")

    assert breaches(story) == [Breach.MESSAGE_DOUBLED]


def test_a_message_that_nobody_wrote_is_named() -> None:
    """An event about nothing."""
    story = Story.clean()
    story.tell(kind=Kind.RECEIVED, message_id="m9")

    assert breaches(story) == [Breach.MESSAGE_DOUBLED]


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


def test_messages_appear_at_the_phone_in_the_order_of_publication() -> None:
    """Where each is first shown counts."""
    story = Story.clean()
    story.shown.append(story.shown[0])
    assert breaches(story) == []
    story.shown[0], story.shown[1] = story.shown[1], story.shown[0]

    assert breaches(story) == [Breach.OUT_OF_ORDER]


def test_events_arrive_in_the_order_of_their_numbers() -> None:
    """Two events that changed places on their way."""
    story = Story.clean()
    story.status(SessionState.RECONNECTING, StatusReason.CONNECTION_LOST)
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED)
    story.told[-1], story.told[-2] = story.told[-2], story.told[-1]

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
    del story.told[event]

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
