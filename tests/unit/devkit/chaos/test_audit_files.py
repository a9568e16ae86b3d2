"""The auditor finds files that were lost, damaged or told of twice, on both sides."""

import pytest

from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import Kind
from tests.unit.devkit.chaos.builder import Story, breaches


def test_files_that_arrive_are_counted() -> None:
    """The one that is stored, and the one that nobody can have."""
    story = Story.clean()
    story.receive("m3", file="abc")
    story.fetch("m3", "abc")
    story.receive("m4", file="")
    story.tell(kind=Kind.FILE_FAILED, message_id="m4", code="media_refused")
    verdict = audit(story.history())

    assert verdict.passed
    assert (verdict.files.arrived, verdict.files.ready) == (2, 1)
    assert verdict.files.failed == {"media_refused": 1}


def test_the_file_of_a_message_that_has_not_arrived_is_not_due() -> None:
    """That the message is lost is said already."""
    story = Story.clean()
    story.write("m3", file="abc")

    assert breaches(story) == [Breach.MESSAGE_LOST]


@pytest.mark.parametrize("code", ["", "media_unavailable"])
def test_a_file_that_can_be_had_has_to_be_stored(code: str) -> None:
    """Whether nothing is told of it or that it is not there."""
    story = Story.clean()
    story.receive("m3", file="abc")
    if code:
        story.tell(kind=Kind.FILE_FAILED, message_id="m3", code=code)

    (offence,) = audit(story.history()).offences
    assert (offence.breach, offence.identity) == (Breach.FILE_LOST, "m3")
    assert code in offence.detail


@pytest.mark.parametrize(
    ("sent", "told", "stored"),
    [("abc", "def", "def"), ("abc", "abc", "def"), ("abc", "abc", ""), ("", "abc", "abc")],
)
def test_a_file_has_to_be_the_one_that_was_sent(sent: str, told: str, stored: str) -> None:
    """In the event and in the store; one that is announced wrongly is never ready."""
    story = Story.clean()
    story.receive("m3", file=sent)
    story.fetch("m3", told, stored=stored)

    assert breaches(story) == [Breach.FILE_DAMAGED]


def test_a_file_ends_once() -> None:
    """Two ends are one too many."""
    story = Story.clean()
    story.receive("m3", file="abc")
    story.fetch("m3", "abc")
    story.fetch("m3", "abc")

    assert breaches(story) == [Breach.FILE_DOUBLED]


def test_a_phone_sees_a_damaged_file() -> None:
    """Its message is there, and its file is another one."""
    story = Story.clean()
    story.send("c3")
    story.show("c3", damaged=True)
    story.tell(kind=Kind.SUCCEEDED, command_id="c3", message_id="wa-c3")

    assert breaches(story) == [Breach.FILE_DAMAGED]
