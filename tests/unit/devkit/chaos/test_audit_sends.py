"""The auditor finds whatever was promised of commands and not kept, and nothing else."""

import pytest

from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import Impact, ImpactKind, Kind
from tests.unit.devkit.chaos.builder import Story, breaches


def test_a_clean_history_passes() -> None:
    """Everything kept: no offence, and the counts are right."""
    verdict = audit(Story.clean().history())

    assert verdict.offences == ()
    assert verdict.passed
    assert (verdict.commands.published, verdict.commands.succeeded) == (3, 3)
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


def test_an_uncertain_command_that_turns_out_to_have_been_sent() -> None:
    """It is counted; a repeat may tell of success from then on."""
    story = Story.clean()
    story.send("c3")
    story.impact()
    story.show("c3")
    story.fail("c3", "uncertain", message_id="wa-c3")
    story.tell(kind=Kind.RESOLVED, command_id="c3", message_id="wa-c3")
    story.tell(kind=Kind.SUCCEEDED, command_id="c3", message_id="wa-c3", repeated=True)
    commands = audit(story.history()).commands

    assert breaches(story) == []
    assert (commands.uncertain, commands.identified) == (1, 1)
    assert (commands.arrived, commands.resolved) == (1, 1)


@pytest.mark.parametrize(
    ("code", "message_id"), [("uncertain", "wa-other"), ("upstream_timeout", "wa-c3")]
)
def test_what_is_resolved_was_uncertain_and_is_at_the_phone(code: str, message_id: str) -> None:
    """Under the id that is told."""
    story = Story.clean()
    story.send("c3")
    story.impact()
    story.show("c3")
    story.fail("c3", code)
    story.tell(kind=Kind.RESOLVED, command_id="c3", message_id=message_id)

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


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
    story.impact()
    if shown:
        story.show("c3")
    story.fail("c3", "uncertain")
    verdict = audit(story.history())

    assert verdict.passed
    assert verdict.commands.uncertain == 1
    assert verdict.commands.explained == {"host_killed": 1}


@pytest.mark.parametrize("moment", ["before", "after", "never", "elsewhere"])
def test_an_uncertain_send_without_a_cause_is_a_breach(moment: str) -> None:
    """An impact explains only what was under way, in its own session."""
    story = Story.clean()
    if moment == "before":
        story.impact()
        story.now += 10
    story.send("c3")
    if moment == "elsewhere":
        story.impact(session_id="two")
    story.fail("c3", "uncertain")
    if moment == "after":
        story.now += 10
        story.impact()

    assert breaches(story) == [Breach.UNCERTAIN_UNEXPLAINED]


@pytest.mark.parametrize(("kills", "expected"), [(39, [Breach.TOO_MANY_UNCERTAIN]), (40, [])])
def test_more_than_one_uncertain_in_twenty_kills_is_too_many(
    kills: int, expected: list[Breach]
) -> None:
    """Each explained, but together too many."""
    story = Story.clean()
    for number in range(3, 5):
        story.send(f"c{number}")
        story.impact()
        story.fail(f"c{number}", "uncertain")
    for _ in range(kills - 2):
        story.impact()

    assert breaches(story) == expected


def test_what_is_resolved_is_not_too_many() -> None:
    """A backend that is told in the end what has become of its sends knows all of them."""
    story = Story.clean()
    for number in range(3, 13):
        story.send(f"c{number}")
        story.impact()
        story.show(f"c{number}")
        story.fail(f"c{number}", "uncertain")
        story.tell(kind=Kind.RESOLVED, command_id=f"c{number}", message_id=f"wa-c{number}")
    for _ in range(20):
        story.impact()

    verdict = audit(story.history())
    assert verdict.passed
    assert verdict.commands.resolved == 10


@pytest.mark.parametrize(
    ("frozen", "uncertain", "expected"),
    [(19, 1, []), (20, 1, []), (39, 2, [Breach.TOO_MANY_UNCERTAIN]), (40, 2, [])],
)
def test_each_kind_of_impact_is_judged_by_how_often_it_hits(
    frozen: int, uncertain: int, expected: list[Breach]
) -> None:
    """Kills that cost nothing do not excuse what freezing costs, nor the other way round."""
    story = Story.clean()
    for number in range(3, 3 + uncertain):
        story.send(f"c{number}")
        story.impact(kind=ImpactKind.FROZEN)
        story.fail(f"c{number}", "uncertain")
    story.now += 10
    for _ in range(frozen - uncertain):
        story.impact(kind=ImpactKind.FROZEN)
    for _ in range(100):
        story.impact()

    assert breaches(story) == expected


def test_a_run_with_few_kills_says_nothing_about_rates() -> None:
    """One kill in the wrong moment is no rate."""
    story = Story.clean()
    story.send("c3")
    story.impact()
    story.fail("c3", "uncertain")
    story.write("m3")
    story.impact()

    assert breaches(story) == []


@pytest.mark.parametrize(
    ("kind", "unanswered", "held_up"), [(ImpactKind.SILENCED, 20, 0), (ImpactKind.HELD_UP, 0, 20)]
)
def test_uncertain_sends_that_were_waiting_are_not_too_many(
    kind: ImpactKind, unanswered: int, held_up: int
) -> None:
    """For WhatsApp's answer or for a slow database: a kill then meets one of each session."""
    story = Story.clean()
    story.impacts.append(Impact(session_id="one", kind=kind, at=story.now, until=story.now + 100))
    for number in range(3, 23):
        story.send(f"c{number}")
        story.impact()
        story.fail(f"c{number}", "uncertain")
    verdict = audit(story.history())

    assert verdict.passed
    assert verdict.commands.uncertain == 20
    assert (verdict.commands.unanswered, verdict.commands.held_up) == (unanswered, held_up)


def test_a_slow_database_explains_no_uncertain_send() -> None:
    """Nothing has happened to the session's host."""
    story = Story.clean()
    story.send("c3")
    story.impact(ImpactKind.HELD_UP)
    story.fail("c3", "uncertain")

    assert breaches(story) == [Breach.UNCERTAIN_UNEXPLAINED]


def test_silence_explains_an_uncertain_send() -> None:
    """An answer that WhatsApp could not deliver in time is lost; it counts apart from kills."""
    story = Story.clean()
    story.send("c3")
    story.impact(ImpactKind.SILENCED)
    story.fail("c3", "uncertain")

    assert breaches(story) == []


def test_an_uncertain_send_at_the_phone_twice_is_doubled() -> None:
    """Uncertain is one message or none."""
    story = Story.clean()
    story.send("c3")
    story.impact()
    story.show("c3")
    story.show("c3", "wa-other")
    story.fail("c3", "uncertain")

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


def test_a_question_needs_an_outcome() -> None:
    """Like every command; nothing is looked for at the phone."""
    story = Story.clean()
    story.check("q0")
    assert breaches(story) == [Breach.COMMAND_LOST]
    story.tell(kind=Kind.SUCCEEDED, command_id="q0")

    assert breaches(story) == []


def test_a_question_is_never_uncertain() -> None:
    """Whatever has hit the session's host: it can be asked again."""
    story = Story.clean()
    story.check("q0")
    story.impact(ImpactKind.HOST_KILLED)
    story.fail("q0", "uncertain")

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


def test_a_change_of_another_message_is_an_offence() -> None:
    """And so is one that the phone does not show as a change of anything."""
    story = Story.clean()
    for number, shown in enumerate(("wa-c0", "wa-c1", "")):
        story.send(f"x{number}", about="wa-c0")
        story.show(f"x{number}", about=shown)
        story.tell(kind=Kind.SUCCEEDED, command_id=f"x{number}", message_id=f"wa-x{number}")

    offences = audit(story.history()).offences
    assert [(one.breach, one.identity) for one in offences] == [
        (Breach.COMMAND_CONTRADICTED, "wa-x1"),
        (Breach.COMMAND_CONTRADICTED, "wa-x2"),
    ]


def test_what_is_sent_later_has_no_order_and_all_else_of_a_send() -> None:
    """Scheduled sends and the rows of bulks; those of a bulk that was refused are no commands."""
    story = Story.clean()
    story.later("later")
    story.bulk("b", 2)
    story.send("c3")
    for command_id in ("c3", "b/2", "b/1", "later"):
        story.succeed(command_id)
    story.tell(kind=Kind.SUCCEEDED, command_id="b")
    assert breaches(story) == []

    story.bulk("refused", 2)
    story.fail("refused", "invalid_command")
    assert breaches(story) == []

    story.bulk("lost", 1)
    story.tell(kind=Kind.SUCCEEDED, command_id="lost")
    story.later("twice")
    story.succeed("twice")
    story.show("twice", "wa-other")
    assert breaches(story) == [Breach.COMMAND_LOST, Breach.COMMAND_DOUBLED]
