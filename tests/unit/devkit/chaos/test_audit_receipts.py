"""The auditor wants each receipt to name the command that sent its message."""

import pytest

from gateway_worker.devkit.chaos.audit.verdict import Breach
from gateway_worker.devkit.chaos.history import Kind
from tests.unit.devkit.chaos.builder import Story, breaches


@pytest.mark.parametrize("named", ["c1", "", "another"])
@pytest.mark.parametrize("order", ["behind its outcome", "before it"])
def test_a_receipt_names_its_command(named: str, order: str) -> None:
    """Whichever of receipt and outcome is told first."""
    story = Story.linked()
    story.send("c1")
    if order == "behind its outcome":
        story.succeed("c1")
    story.tell(kind=Kind.RECEIPT, message_id="wa-c1", command_id=named)
    if order == "before it":
        story.succeed("c1")

    assert breaches(story) == ([] if named == "c1" else [Breach.RECEIPT_NAMELESS])


def test_a_receipt_of_a_message_that_no_command_sent() -> None:
    """It was written on the phone, or its send's end is uncertain."""
    story = Story.clean()
    story.tell(kind=Kind.RECEIPT, message_id="elsewhere")

    assert breaches(story) == []


@pytest.mark.parametrize(
    ("when", "expected"), [("before", []), ("after", [Breach.RECEIPT_NAMELESS])]
)
def test_a_receipt_of_what_was_uncertain(when: str, expected: list[Breach]) -> None:
    """Nobody knows of which command it is before the gateway has found out."""
    told, earlier = [Story.linked() for _ in range(2)]
    for story in (told, earlier):
        story.send("c1")
        story.fail("c1", "uncertain")
    if when == "before":
        told.tell(kind=Kind.RECEIPT, message_id="wa-c1")
    told.tell(kind=Kind.RESOLVED, command_id="c1", message_id="wa-c1")
    earlier.tell(kind=Kind.RESOLVED, command_id="c1", message_id="wa-c1")
    if when == "after":
        told.tell(kind=Kind.RECEIPT, message_id="wa-c1")

    assert [one for one in breaches(told) if one not in breaches(earlier)] == expected
