"""The auditor finds what goes elsewhere than it belongs, or is not about what it says."""

import pytest

from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.history import Kind
from tests.unit.devkit.chaos.builder import Story, breaches


def test_what_comes_under_another_key_is_misrouted() -> None:
    """A backend that has bound its own keys would not have it."""
    story = Story.clean()
    story.tell(kind=Kind.OTHER, is_routed=False)

    assert breaches(story) == [Breach.MISROUTED]


@pytest.mark.parametrize("kind", [Kind.SUCCEEDED, Kind.FAILED, Kind.RESOLVED, Kind.RECEIPT])
@pytest.mark.parametrize("echoed", ["mine", "", "another"])
def test_what_a_backend_calls_its_message_is_in_all_that_is_told_of_it(
    kind: Kind, echoed: str
) -> None:
    """And nothing else is."""
    story = Story.clean()
    story.send("c3", client_ref="mine")
    story.show("c3")
    sent = {"command_id": "c3", "message_id": "wa-c3"}
    if kind is Kind.RESOLVED:
        story.impact()
        story.fail("c3", "uncertain", client_ref="mine")
    elif kind is Kind.FAILED:
        story.seen_by_phones.pop()
    elif kind is Kind.RECEIPT:
        story.tell(kind=Kind.SUCCEEDED, client_ref="mine", **sent)
    code = {"code": "expired"} if kind is Kind.FAILED else {}
    story.tell(kind=kind, client_ref=echoed, **sent, **code)

    assert breaches(story) == [] if echoed == "mine" else [Breach.REF_NOT_ECHOED]


def test_an_outcome_is_told_of_its_own_session() -> None:
    """Another one's backend may not hear of it."""
    story = Story.clean()
    story.send("c3")
    story.show("c3")
    story.tell(
        kind=Kind.SUCCEEDED,
        command_id="c3",
        message_id="wa-c3",
        session_id="two",
        sequence=1,
    )

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


def test_a_success_names_the_message_that_the_phone_has() -> None:
    """Receipts could not be told from those of another one."""
    story = Story.clean()
    story.send("c3")
    story.show("c3", "wa-other")
    story.tell(kind=Kind.SUCCEEDED, command_id="c3", message_id="wa-c3")

    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]


def test_a_command_is_resolved_once_and_after_its_end() -> None:
    """Nobody can keep a resolution that comes before what it resolves."""
    story = Story.clean()
    story.send("c3")
    story.impact()
    story.show("c3")
    story.tell(kind=Kind.RESOLVED, command_id="c3", message_id="wa-c3")
    story.fail("c3", "uncertain")
    assert breaches(story) == [Breach.COMMAND_CONTRADICTED]
    story.tell(kind=Kind.RESOLVED, command_id="c3", message_id="wa-c3")

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


def test_a_message_says_what_was_written() -> None:
    """Under the id that it has; what brings a file is known by that."""
    story = Story.clean()
    story.write("m3", text="one")
    story.tell(kind=Kind.RECEIVED, message_id="m3", text="one")
    story.write("m4")
    story.tell(kind=Kind.RECEIVED, message_id="m4", text="caption")
    assert breaches(story) == []
    story.write("m5", text="two")
    story.tell(kind=Kind.RECEIVED, message_id="m5", text="one")

    (offence,) = audit(story.history()).offences
    assert (offence.breach, offence.identity) == (Breach.MESSAGE_CHANGED, "m5")


def test_a_receipt_is_told_once() -> None:
    """Of each person, and of each thing that somebody does with a message."""
    story = Story.clean()
    for who, status in (("ann", "delivered"), ("ann", "read"), ("ben", "delivered")):
        story.tell(kind=Kind.RECEIPT, command_id="c0", message_id="wa-c0", who=who, status=status)
    assert breaches(story) == []
    story.tell(kind=Kind.RECEIPT, command_id="c0", message_id="wa-c0", who="ann", status="read")

    assert breaches(story) == [Breach.RECEIPT_DOUBLED]


def test_a_file_is_of_a_message_that_was_written() -> None:
    """Of nothing else."""
    story = Story.clean()
    story.fetch("nobody's", "hash")

    assert breaches(story) == [Breach.FILE_DOUBLED]
