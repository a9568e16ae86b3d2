"""The auditor finds what a hostile backend has brought about, and leaves the rest alone."""

import pytest

from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import ImpactKind, Kind
from tests.unit.devkit.chaos.builder import Story, breaches


@pytest.mark.parametrize("where", ["event_id", "message_id", "command_id"])
def test_what_was_forged_may_not_be_told(where: str) -> None:
    """As an event of its own, as a receipt, or as the answer to it."""
    story = Story.clean()
    story.forged.add("forged")
    assert breaches(story) == []
    story.tell(kind=Kind.RECEIPT, **{where: "forged"})

    assert breaches(story) == [Breach.FORGED]


def test_an_event_may_not_be_answered() -> None:
    """Whoever answers what comes back has made a loop."""
    story = Story.clean()
    event_id = story.events_seen[-1].event_id
    story.fail(event_id, "invalid_command")

    assert breaches(story) == [Breach.FORGED]


def test_an_id_that_is_used_twice_keeps_its_outcome() -> None:
    """The refusal of the other command is no outcome of the first one, and out of its order."""
    story = Story.clean()
    story.reused_ids.add("c0")
    story.tell(kind=Kind.CONFLICT, command_id="c0", code="invalid_command")

    assert breaches(story) == []


def test_an_id_that_is_used_twice_has_to_be_refused() -> None:
    """A success that is repeated says that the other command was done."""
    story = Story.clean()
    story.reused_ids.add("c0")
    story.tell(kind=Kind.SUCCEEDED, command_id="c0", message_id="wa-c0", repeated=True)

    (offence,) = audit(story.history()).offences
    assert (offence.breach, offence.identity) == (Breach.ID_NOT_REFUSED, "c0")


def test_an_id_that_is_used_once_may_not_be_refused() -> None:
    """An innocent command beside a hostile one."""
    story = Story.clean()
    story.tell(kind=Kind.CONFLICT, command_id="c0", code="invalid_command")

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


@pytest.mark.parametrize(
    ("kind", "found"), [(ImpactKind.REROUTED, []), (ImpactKind.SILENCED, [Breach.OUT_OF_ORDER])]
)
def test_order_is_asked_of_commands_whose_binding_is_there(
    kind: ImpactKind, found: list[Breach]
) -> None:
    """Without one they come by the shared queue; each has its one outcome all the same."""
    story = Story.clean()
    story.now += 60
    story.impact(kind, seconds=5)
    story.send("c3")
    story.now += 10
    story.send("c4")
    story.succeed("c4")
    story.succeed("c3")

    assert breaches(story) == found


def test_a_binding_that_is_gone_explains_no_uncertain_command() -> None:
    """It is not executed while it is on its way."""
    story = Story.clean()
    story.send("c3")
    story.impact(ImpactKind.REROUTED)
    story.fail("c3", "uncertain")

    assert breaches(story) == [Breach.UNCERTAIN_UNEXPLAINED]
